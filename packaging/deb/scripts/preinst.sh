#!/bin/sh
# preinst of @PACKAGE@, made by Rouse.
# Called before the files are unpacked (deb-preinst(5)). Stops nothing: the old version serves until the new one is configured.
set -e

record='/run/@PACKAGE@.upgrade'

# What systemd runs now, for the postinst to compare with. A record that is there already is of the version that still runs, when an
# upgrade comes on top of one that was never configured.
remember() {
    if [ -d "$record" ]; then
        return 0
    fi
    mkdir -p "$record"
    dpkg-query --listfiles '@PACKAGE@' 2>/dev/null | sed -n '/\/systemd\/system\/[^/]*\.socket$/p' | while read -r file; do
        if [ -f "$file" ]; then
            cp "$file" "$record/"
        fi
    done
}

# The units that the last version enabled, also where it is removed and only its settings are left: its postrm names them.
remember_enabled() {
    postrm=$(dpkg-query --control-path '@PACKAGE@' postrm 2>/dev/null || true)
    if [ -f "$postrm" ]; then
        sed -n "s/^enabled='\(.*\)'\$/\1/p" "$postrm" >>"$record.enabled"
    fi
}

case "$1" in
    upgrade)
        remember
        remember_enabled
        ;;
    install)
        rm -rf "$record" "$record.enabled"
        remember_enabled
        ;;
    *)
        echo "preinst called with unknown argument '$1'" >&2
        exit 1
        ;;
esac
