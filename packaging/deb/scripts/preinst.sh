#!/bin/sh
# preinst of @PACKAGE@, made by Rouse.
# Called before the files are unpacked (deb-preinst(5)). Stops nothing: the old version serves until the new one is configured.
set -e

record='/run/@PACKAGE@.upgrade'

# Names separated by commas.
properties='@PROPERTIES@'

# Without the first slash in the list: lintian would take a line for a command.
shipped() {
    sed -e '/^$/d' -e 's,^usr/,/usr/,' <<'FILES'
@FILES@
FILES
}

# One name for one file: dpkg takes /lib/x and /usr/lib/x for two, where /lib is a link to /usr/lib. It would replace another
# package's file without a word, and delete it with this package.
by_one_name() {
    sed 's,^/usr/,/,'
}

# "package: path" for each of the files that a package has already, under either name.
owned() {
    { shipped && shipped | by_one_name; } | sed 's/[*?[\\]/\\&/g' |
        xargs --no-run-if-empty --delimiter='\n' dpkg-query --search -- 2>/dev/null |
        sed -e '/^diversion by /d' -e '/^local diversion /d'
}

# What stands in the way: a line for each file.
clashes() {
    owned="$(owned)"
    printf '%s\n' "$owned" | while IFS= read -r line; do
        case "$line" in
            '' | '@PACKAGE@:'*) ;;
            *) printf '  %s is of the package %s\n' "/${line#*: /}" "${line%%: /*}" ;;
        esac
    done
    names="$(printf '%s\n' "$owned" | sed 's/^[^/]*: //' | by_one_name)"
    shipped | while IFS= read -r file; do
        if is_strange "$file" && ! printf '%s\n' "$names" | grep -qxF "$(printf '%s\n' "$file" | by_one_name)"; then
            printf '  %s is of no package\n' "$file"
        fi
    done
}

# A unit that another hand put there, or a link of update-alternatives(1). Our own files may be there and in no list, where a run of
# dpkg was cut off.
is_strange() {
    if [ -L "$1" ]; then
        case "$(readlink "$1")" in
            /etc/alternatives/*) return 0 ;;
        esac
    fi
    case "$1" in
        */systemd/system/*) [ -f "$1" ] && ! head -n 1 "$1" | grep -qF '@MADE@' ;;
        *) return 1 ;;
    esac
}

refuse_clashes() {
    clashes="$(clashes)"
    if [ -n "$clashes" ]; then
        cat >&2 <<TEXT
@PACKAGE@ would replace files that are not its own:
$clashes
Nothing has been changed. If they are of an earlier build of the same service, remove that first; if not, give the
service another name in its definition ("name") and build the package again.
TEXT
        exit 1
    fi
}

# What systemd runs now, for the postinst to compare with. A record that is there already is of the version that still runs, when an
# upgrade comes on top of one that was never configured.
remember() {
    if [ -d "$record" ]; then
        return 0
    fi
    mkdir -p "$record"
    dpkg-query --listfiles '@PACKAGE@' 2>/dev/null | sed -n '/\/systemd\/system\/[^/]*\.\(socket\|service\)$/p' | while read -r file; do
        if [ -f "$file" ]; then
            cp "$file" "$record/"
            remember_loaded "${file##*/}"
        fi
    done
}

# With the administrator's drop-ins.
remember_loaded() {
    case "$1" in
        *.socket) ;;
        *) return 0 ;;
    esac
    if [ -d /run/systemd/system ] && ! systemctl show --property="$properties" "$1" >"$record/$1.loaded"; then
        rm -f "$record/$1.loaded"
    fi
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
        refuse_clashes
        remember
        remember_enabled
        ;;
    install)
        refuse_clashes
        rm -rf "$record" "$record.enabled"
        remember_enabled
        ;;
    *)
        echo "preinst called with unknown argument '$1'" >&2
        exit 1
        ;;
esac
