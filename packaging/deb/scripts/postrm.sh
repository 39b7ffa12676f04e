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

# Whether a package other than this one has files of its own there.
is_foreign() {
    owners="$(dpkg-query --search "$1" 2>/dev/null | grep -vxF "@PACKAGE@: $1" || true)"
    [ -n "$owners" ]
}

# What the service wrote and the folder of its configuration, unless another package has files of its own there.
remove_directories() {
    for directory in $directories; do
        if is_foreign "$directory"; then
            continue
        fi
        case "$directory" in
            /etc/*)
                if [ -d "$directory" ]; then
                    rm -rf "$directory"
                fi
                ;;
            *) remove_written "${directory%/*}" "${directory##*/}" ;;
        esac
    done
}

# A service with a dynamic user has its directories under private/, and a link to them where they are expected (systemd.exec(5)).
# A folder in the place of the link is of somebody else, or of a service that the administrator gave a user of his own.
remove_written() {
    rm -rf "$1/private/$2"
    if [ -L "$1/$2" ]; then
        case "$(readlink "$1/$2")" in
            "private/$2" | "$1/private/$2") rm -f "$1/$2" ;;
        esac
    elif [ -d "$1/$2" ] && ! rmdir "$1/$2" 2>/dev/null; then
        echo "@PACKAGE@: $1/$2 is kept: its files are not of the service's dynamic user. Delete it if nobody needs it." >&2
    fi
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
