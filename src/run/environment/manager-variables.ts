/**
 * Whether a variable is one by which a service manager, or `rouse run`, tells one process something about itself. None of them is
 * for a child of that process: systemd.exec(5), "Environment variables in spawned processes"; sd_listen_fds(3); sd_notify(3);
 * xinetd.conf(5), what passes REMOTE_HOST; launchd's XPC_*. SERVER_LISTEN_FD is none of them: the user sets it, to say which of
 * the passed sockets the program is to take.
 */
export function isOfAManager(name: string): boolean {
  return exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

// --- internal ---

const exact = new Set(
  [
    "NOTIFY_SOCKET INVOCATION_ID JOURNAL_STREAM LOG_NAMESPACE SYSTEMD_EXEC_PID MAINPID MANAGERPID MANAGERPIDFDID PIDFILE FDSTORE SO_COOKIE",
    "CREDENTIALS_DIRECTORY RUNTIME_DIRECTORY STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY",
    "SERVICE_RESULT EXIT_CODE EXIT_STATUS MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE",
    "REMOTE_ADDR REMOTE_PORT REMOTE_HOST XPC_SERVICE_NAME XPC_FLAGS ROUSE_WORKER ROUSE_SMOKE_RUN",
  ].flatMap((names) => names.split(" ")),
);

/** MONITOR_* and TRIGGER_* of systemd only; a program's own may begin so too. */
const prefixes = [
  "LISTEN_FD",
  "LISTEN_PID",
  "WATCHDOG_",
  "MONITOR_SERVICE_",
  "MONITOR_EXIT_",
  "TRIGGER_TIMER_",
  "ROUSE_RUN_",
];
