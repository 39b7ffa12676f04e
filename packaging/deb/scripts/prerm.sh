#!/bin/sh
# prerm of @PACKAGE@, made by Rouse.
# Called before the files go (deb-prerm(5)). On an upgrade everything runs on.
set -e
set -f

# Lists of names, separated by spaces.
units='@STOPPED@'

case "$1" in
    remove)
        # In one call: a socket that outlived its service would start it again.
        if [ -d /run/systemd/system ] && [ -n "$units" ]; then
            # shellcheck disable=SC2086 # list
            deb-systemd-invoke stop $units || true
        fi
        ;;
    upgrade | deconfigure | failed-upgrade)
        ;;
    *)
        echo "prerm called with unknown argument '$1'" >&2
        exit 1
        ;;
esac
