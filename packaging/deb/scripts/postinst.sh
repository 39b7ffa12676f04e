#!/bin/sh
# postinst of @PACKAGE@, made by Rouse.
# Called when the files are in place, or when an upgrade or a removal is called off (deb-postinst(5)).
set -e
set -f

# Lists of names, separated by spaces.
enabled='@ENABLED@'
sockets='@SOCKETS@'
services='@SERVICES@'
boot='@BOOT@'
handover='@HANDOVER@'
sysusers='@SYSUSERS@'
tmpfiles='@TMPFILES@'
# Names separated by commas.
properties='@PROPERTIES@'
# Left by the preinst of an upgrade: the units of the version that still runs, and as UNIT.loaded what systemd made of a socket;
# beside it the names of the units that the last version enabled.
record='/run/@PACKAGE@.upgrade'

# The first time, units get the state that the presets say; later they keep the one that the administrator gave them.
enable_units() {
    for unit in $enabled; do
        deb-systemd-helper unmask "$unit" >/dev/null || true
        if deb-systemd-helper --quiet was-enabled "$unit"; then
            deb-systemd-helper enable "$unit" >/dev/null || true
        fi
        drop_links "$unit"
        deb-systemd-helper update-state "$unit" >/dev/null || true
    done
}

# deb-systemd-helper links a unit to the targets that want it now, and forgets about the links to those that did: a service that
# was to start at boot, and is not any more, would go on to do so.
drop_links() {
    state='/var/lib/systemd/deb-systemd-helper-enabled'
    if [ ! -f "$state/$1.dsh-also" ]; then
        return 0
    fi
    while read -r link; do
        folder=${link%/*}
        folder=${folder##*/}
        target=${folder%.*}
        if [ "${link##*/}" = "$1" ] &&
            ! grep -Eq "^(WantedBy|RequiredBy)=(.* )?$target( |\$)" "/usr/lib/systemd/system/$1"; then
            rm -f "$link" "$state/$folder/$1"
        fi
    done <"$state/$1.dsh-also"
}

# Units that this version no longer has would leave their links behind.
forget_removed() {
    # shellcheck disable=SC2013 # words, not lines
    for unit in $(cat "$record.enabled" 2>/dev/null); do
        case " $enabled " in
            *" $unit "*) ;;
            *) deb-systemd-helper purge "$unit" >/dev/null || true ;;
        esac
    done
}

# A unit that fails to start is the administrator's to see, not a reason to leave the package half configured.
invoke() {
    if [ $# -gt 1 ] && ! deb-systemd-invoke "$@"; then
        explain "$@"
    fi
}

# deb-systemd-invoke names no unit.
explain() {
    verb=$1
    shift
    failed=''
    for unit in "$@"; do
        if systemctl --quiet is-failed "$unit"; then
            failed="$failed $unit"
        fi
    done
    # shellcheck disable=SC2048 # a list
    for unit in ${failed:-$*}; do
        echo "@PACKAGE@: systemctl $verb $unit failed; the package is installed all the same." >&2
        echo "  To see why: systemctl status $unit; journalctl -u $unit" >&2
    done
}

# The settings of a socket: the lines of its [Socket] sections without comments.
settings() {
    sed -e '/^[[:space:]]*[#;]/d' -e '/^[[:space:]]*$/d' "$1" | sed -n '/^\[Socket\]/,/^\[/{
        /^\[/!p
    }'
}

# Units of the last version that this one no longer has and that still run. The instances of a template end with their connections.
removed() {
    for file in $(find "$record" -name '*.socket' -o -name '*.service' 2>/dev/null | sort -r); do
        unit=${file##*/}
        case "$unit" in
            *@.*) continue ;;
        esac
        if [ -f "/usr/lib/systemd/system/$unit" ]; then
            continue
        fi
        case "$(systemctl show --value --property=ActiveState "$unit")" in
            inactive | failed) ;;
            *) printf '%s\n' "$unit" ;;
        esac
    done
}

# Sockets whose settings only a new start can apply, unless an administrator's file or drop-ins in /etc have the last word on them.
changed() {
    for unit in $sockets; do
        if [ ! -f "$record/$unit" ] || [ -f "/etc/systemd/system/$unit" ] ||
            [ "$(settings "$record/$unit")" = "$(settings "/usr/lib/systemd/system/$unit")" ]; then
            continue
        fi
        if [ "$(cat "$record/$unit.loaded" 2>/dev/null)" != "$(systemctl show --property="$properties" "$unit")" ]; then
            printf '%s\n' "$unit"
        fi
    done
}

# What RemoveOnStop= asked for: since daemon-reload, systemd knows only where the sockets of this version are.
remove_paths() {
    for unit in "$@"; do
        if ! grep -qsx 'ActiveState=active' "$record/$unit.loaded" ||
            ! grep -qsx 'RemoveOnStop=yes' "$record/$unit.loaded" || systemctl --quiet is-active "$unit"; then
            continue
        fi
        sed -n 's/^Listen=\(\/.*\) ([A-Za-z]*)$/\1/p' "$record/$unit.loaded" | while IFS= read -r path; do
            if [ -S "$path" ]; then
                rm -f "$path"
            fi
        done
    done
}

# A service with workers goes over to its new version by a reload: the new workers serve before the old ones end, and nobody waits for
# either. What has changed in a unit takes a new start. The unit says that the version which runs knows how.
hands_over() {
    case " $handover " in
        *" $1 "*) ;;
        *) return 1 ;;
    esac
    [ -z "$removed$changed" ] && cmp -s "$record/$1" "/usr/lib/systemd/system/$1" && systemctl --quiet is-active "$1"
}

# The version before goes on serving where the new one does not get ready: systemctl has nothing to complain of then.
hand_over() {
    invoke reload "$1"
    status="$(systemctl show --value --property=StatusText "$1")"
    case "$status" in
        *'reload failed'*)
            echo "@PACKAGE@: the new version is installed, but the one before goes on serving: $status" >&2
            echo "  To see why: journalctl -u $1; then: systemctl reload $1" >&2
            ;;
    esac
}

# Sockets that stay keep their queues while the service starts anew, so that no connection is lost. Those that went or changed are
# stopped before it and come up with it: systemd refuses to start a socket under a running service, but starts those that the service
# wants in the moment between its old and its new process.
# shellcheck disable=SC2086 # lists
upgrade() {
    was_active=''
    added=''
    for unit in $boot; do
        if [ ! -f "$record/$unit" ]; then
            added="$added $unit"
        elif systemctl --quiet is-active "$unit"; then
            was_active="$was_active $unit"
        fi
    done
    removed="$(removed)"
    changed="$(changed)"
    invoke stop $removed $changed
    remove_paths $removed $changed
    for unit in $services; do
        if hands_over "$unit"; then
            hand_over "$unit"
        else
            invoke try-restart "$unit"
        fi
    done
    invoke start $sockets $added
    # A service that stops with its socket (Requires=) has gone down with one that changed.
    if [ -n "$changed" ]; then
        invoke start $was_active
    fi
}

case "$1" in
    configure | abort-upgrade | abort-deconfigure | abort-remove)
        # shellcheck disable=SC2086 # lists
        if [ -n "$sysusers" ]; then
            systemd-sysusers $sysusers
        fi
        # shellcheck disable=SC2086 # lists
        if [ -n "$tmpfiles" ]; then
            systemd-tmpfiles --create $tmpfiles || true
        fi
        enable_units
        if [ -d /run/systemd/system ]; then
            systemctl --system daemon-reload >/dev/null || true
            if [ -d "$record" ]; then
                upgrade
            else
                # shellcheck disable=SC2086 # lists
                invoke start $sockets $boot
            fi
        fi
        forget_removed
        rm -rf "$record" "$record.enabled"
        ;;
    *)
        echo "postinst called with unknown argument '$1'" >&2
        exit 1
        ;;
esac
