#!/bin/sh
# Ends what a launcher has started, and removes what it has made, when the launcher is gone: also after SIGKILL, when it can
# do neither. Its standard input is a pipe whose other end only the launcher has. Each line says something:
#   started PID | ended PID    a process that leads a session of its own
#   socket PATH | folder PATH  to be removed
#   done                       the launcher has cleaned up itself
set -uf # Without -f a path with * in it would be a pattern.

pids=' '
sockets=''
folder=''
newline='
'

while IFS= read -r line; do
  rest=${line#* } # A path may begin or end with a blank.
  case ${line%% *} in
    started) pids="$pids$rest " ;;
    ended)
      case $pids in
        *" $rest "*) pids="${pids%%" $rest "*} ${pids#*" $rest "}" ;;
      esac
      ;;
    socket) sockets="$sockets$rest$newline" ;;
    folder) folder=$rest ;;
    done) exit 0 ;;
  esac
done

# kill with a negative number reaches a whole process group.
signal_all() {
  alive=''
  for pid in $pids; do
    kill -s "$1" -- "-$pid" 2>/dev/null && alive=yes
  done
}

signal_all TERM
tries=0
while signal_all 0 && [ -n "$alive" ] && [ "$tries" -lt 50 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
signal_all KILL

IFS=$newline
for path in $sockets; do
  [ -S "$path" ] && rm -f -- "$path"
done
# Nobody but root removes a file from a folder that may not be written to: that of the credentials.
if [ -n "$folder" ]; then
  chmod -R u+w -- "$folder"
  rm -rf -- "$folder"
fi
exit 0
