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

case "$1" in
    upgrade)
        remember
        ;;
    install)
        rm -rf "$record"
        ;;
    *)
        echo "preinst called with unknown argument '$1'" >&2
        exit 1
        ;;
esac
