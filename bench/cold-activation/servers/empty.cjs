// The floor: what starting and ending Node costs before a program does anything.
