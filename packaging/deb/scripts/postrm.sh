#!/bin/sh
# postrm of @PACKAGE@, made by Rouse.
# Called when the files are gone (deb-postrm(5)).
set -e
set -f

# Lists of names, separated by spaces.
enabled='@ENABLED@'
directories='@DIRECTORIES@'

reload() {
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload >/dev/null || true
    fi
}

# What the service wrote, unless another package has files of its own there. A service with a dynamic user has its directories under
# private/, and a link to them where they are expected (systemd.exec(5)).
remove_directories() {
    for directory in $directories; do
        private="${directory%/*}/private/${directory##*/}"
        if dpkg-query --search "$directory" 2>/dev/null | grep -qv '^@PACKAGE@: '; then
            continue
        fi
        rm -rf "$directory"
        case "$directory" in
            /var/*) rm -rf "$private" ;;
        esac
    done
}

case "$1" in
    remove)
        reload
        ;;
    purge)
        # shellcheck disable=SC2086 # list
        if [ -n "$enabled" ] && [ -x "$(command -v deb-systemd-helper)" ]; then
            deb-systemd-helper purge $enabled >/dev/null || true
        fi
        remove_directories
        ;;
    abort-install | abort-upgrade)
        # What ran before still runs: nothing to compare.
        rm -rf '/run/@PACKAGE@.upgrade' '/run/@PACKAGE@.upgrade.enabled'
        ;;
    upgrade | failed-upgrade | disappear)
        ;;
    *)
        echo "postrm called with unknown argument '$1'" >&2
        exit 1
        ;;
esac
