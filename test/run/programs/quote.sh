#!/bin/sh
# Knows nothing of sockets: reads a client's line, answers it, ends.
read -r line
printf 'you said: %s\n' "$line"
