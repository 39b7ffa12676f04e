/*
 * Says what it was given by whoever has started it, as JSON, over the sockets that it was given: whoever connects and sends
 * `report` gets it, and so does who sends that as a datagram. It was taken down at the start, before anything was touched.
 *
 *     cc -o handed handed.c
 *     handed                     serves until it is ended; of a connection, or under inetd, one command
 *
 * Other commands, one a connection, each answered by "done\n" unless it ends the process:
 *
 *     exit N                     ends
 *     nonblock                   makes every socket non-blocking, which they stay for whoever gets them next
 *     notify TEXT                tells the manager; "|" stands for a newline
 *     store TEXT                 the same, along with /dev/null, newly opened
 *     store-3 TEXT               along with the descriptor 3
 *     store-pipe TEXT            along with the reading end of a pipe that nobody writes to any more
 *     leave                      starts a process in a session of its own that lives on, without a descriptor; answered by its pid
 *     leave-3                    the same, and it keeps the descriptor 3
 *     leave-soon                 the same without it, and it ends when the service does
 *     ignore                     SIGTERM, from now on
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64 };

extern char **environ;

static FILE *out;

static void text(const char *value) {
  putc('"', out);
  for (; *value; value++) {
    unsigned char byte = (unsigned char)*value;
    if (byte == '"' || byte == '\\') fprintf(out, "\\%c", byte);
    else if (byte < ' ') fprintf(out, "\\u%04x", byte);
    else putc(byte, out);
  }
  putc('"', out);
}

static int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

static void flag(const char *name, int fd, int level, int which) {
  int value = option(fd, level, which);
  if (value >= 0) fprintf(out, ",\"%s\":%d", name, value);
}

static void describe_socket(int fd) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  int domain = option(fd, SOL_SOCKET, SO_DOMAIN), type = option(fd, SOL_SOCKET, SO_TYPE);
  int listens = option(fd, SOL_SOCKET, SO_ACCEPTCONN);
  const char *family = domain == AF_INET ? "ipv4" : domain == AF_INET6 ? "ipv6" : domain == AF_UNIX ? "unix" : "other";
  const char *kind = type == SOCK_STREAM ? "stream" : type == SOCK_DGRAM ? "datagram" : "other";
  const char *role = listens ? "listening" : getpeername(fd, (void *)&peer, &length) == 0 ? "connected" : "bound";
  fprintf(out, "\"socket\":\"%s %s %s\"", family, kind, role);
  flag("reuseaddr", fd, SOL_SOCKET, SO_REUSEADDR);
  flag("reuseport", fd, SOL_SOCKET, SO_REUSEPORT);
  flag("keepalive", fd, SOL_SOCKET, SO_KEEPALIVE);
  flag("broadcast", fd, SOL_SOCKET, SO_BROADCAST);
  flag("passcred", fd, SOL_SOCKET, SO_PASSCRED);
  flag("timestamp", fd, SOL_SOCKET, SO_TIMESTAMP);
  flag("oobinline", fd, SOL_SOCKET, SO_OOBINLINE);
  struct linger linger = {0};
  socklen_t size = sizeof linger;
  getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size);
  fprintf(out, ",\"linger\":%d", linger.l_onoff);
  if (domain == AF_INET6) flag("v6only", fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (domain == AF_INET6) flag("freebind", fd, IPPROTO_IPV6, 78);
  if (domain == AF_INET) flag("freebind", fd, IPPROTO_IP, 15);
  if (domain == AF_UNIX || type != SOCK_STREAM) return;
  flag("nodelay", fd, IPPROTO_TCP, TCP_NODELAY);
  flag("deferaccept", fd, IPPROTO_TCP, TCP_DEFER_ACCEPT);
  struct tcp_info info = {0};
  size = sizeof info;
  if (listens && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) fprintf(out, ",\"backlog\":%u", info.tcpi_sacked);
}

static void describe_descriptor(int fd) {
  struct stat stat;
  char path[64], link[4096];
  fstat(fd, &stat);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(path, link, sizeof link - 1);
  link[length < 0 ? 0 : length] = 0;
  int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE;
  putc('{', out);
  if (S_ISSOCK(stat.st_mode)) describe_socket(fd);
  else if (S_ISFIFO(stat.st_mode)) fputs("\"pipe\":true", out);
  else {
    fputs("\"file\":", out);
    text(link);
  }
  fprintf(out, ",\"access\":\"%s\"", mode == O_RDONLY ? "r" : mode == O_WRONLY ? "w" : "rw");
  fprintf(out, ",\"nonblock\":%d,\"append\":%d", !!(flags & O_NONBLOCK), !!(flags & O_APPEND));
  fprintf(out, ",\"cloexec\":%d,\"inode\":%ld}", !!(fcntl(fd, F_GETFD) & FD_CLOEXEC), (long)stat.st_ino);
}

static int is_of_a_manager(const char *variable) {
  static const char *prefixes[] = {"LISTEN_",   "WATCHDOG_", "REMOTE_",          "NOTIFY_SOCKET=", "INVOCATION_ID=", "SYSTEMD_",
                                   "JOURNAL_",  "MAINPID=",  "MANAGERPID=",      "FDSTORE=",       "SERVER_",        "CREDENTIALS_",
                                   "STATE_DIR", "CACHE_DIR", "LOGS_DIR",         "CONFIGURATION_", "RUNTIME_DIR",    "FIDELITY",
                                   "ROUSE_RUN_",    "SO_COOKIE", "MEMORY_PRESSURE_", "LOG_NAMESPACE",  "TRIGGER_",       "MONITOR_"};
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0) return 1;
  return 0;
}

static void describe_environment(void) {
  const char *separator = "";
  fputs("\"environment\":{", out);
  for (char **each = environ; *each; each++) {
    char *equals = strchr(*each, '=');
    if (!equals || !is_of_a_manager(*each)) continue;
    fputs(separator, out);
    *equals = 0;
    text(*each);
    putc(':', out);
    // The process's own id is another one each time.
    int is_pid = strcmp(*each, "LISTEN_PID") == 0 || strcmp(*each, "WATCHDOG_PID") == 0 || strcmp(*each, "SYSTEMD_EXEC_PID") == 0;
    text(is_pid && atol(equals + 1) == (long)getpid() ? "own" : equals + 1);
    *equals = '=';
    separator = ",";
  }
  fputs("},", out);
}

static void describe_signals(void) {
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  const char *separator = "";
  fputs("\"blocked\":[", out);
  for (int number = 1; number <= SIGRTMAX; number++) {
    if (sigismember(&mask, number) != 1) continue;
    fprintf(out, "%s%d", separator, number);
    separator = ",";
  }
  separator = "";
  fputs("],\"ignored\":[", out);
  for (int number = 1; number <= SIGRTMAX; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0 || action.sa_handler != SIG_IGN) continue;
    fprintf(out, "%s%d", separator, number);
    separator = ",";
  }
  fputs("],", out);
}

static void describe(int argc, char **argv) {
  struct rlimit files;
  char folder[4096];
  mode_t mask = umask(0);
  umask(mask);
  getrlimit(RLIMIT_NOFILE, &files);
  fputs("{\"arguments\":[", out);
  for (int i = 1; i < argc; i++) {
    if (i > 1) putc(',', out);
    text(argv[i]);
  }
  fputs("],\"name\":", out);
  text(argv[0]);
  fputs(",\"folder\":", out);
  text(getcwd(folder, sizeof folder) ? folder : "");
  fprintf(out, ",\"pid\":%ld,\"leadsSession\":%s,\"leadsGroup\":%s", (long)getpid(), getsid(0) == getpid() ? "true" : "false",
          getpgrp() == getpid() ? "true" : "false");
  int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC);
  fprintf(out, ",\"hasTerminal\":%s,\"umask\":\"%04o\",\"files\":%lu,", terminal >= 0 ? "true" : "false", mask, (unsigned long)files.rlim_cur);
  if (terminal >= 0) close(terminal);
  describe_environment();
  describe_signals();
  const char *separator = "";
  fputs("\"descriptors\":{", out);
  for (int fd = 0; fd < MOST; fd++) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    fprintf(out, "%s\"%d\":", separator, fd);
    describe_descriptor(fd);
    separator = ",";
  }
  fputs("}}\n", out);
}

static int tell(const char *message, int passed) {
  const char *path = getenv("NOTIFY_SOCKET");
  if (!path) return -1;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (*path == '@') address.sun_path[0] = 0;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec vector = {(char *)message, strlen(message)};
  struct msghdr header = {.msg_name = &address, .msg_namelen = length, .msg_iov = &vector, .msg_iovlen = 1};
  if (passed >= 0) {
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
    header.msg_control = &control;
    header.msg_controllen = sizeof control;
  }
  int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int sent = (int)sendmsg(socket_, &header, MSG_NOSIGNAL);
  close(socket_);
  return sent;
}

static long leave(int kept, int ends_too) {
  pid_t main = getpid();
  int ends[2];
  long left = 0;
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    setsid();
    pid_t grandchild = fork();
    if (grandchild > 0) _exit(write(ends[1], &(long){grandchild}, sizeof(long)) < 0);
    signal(SIGTERM, SIG_IGN);
    // Lets go of everything, as a daemon does.
    for (int fd = 0; fd < MOST; fd++)
      if (fd != kept) close(fd);
    if (!ends_too)
      for (;;) pause();
    while (kill(main, 0) == 0) usleep(10000);
    usleep(50000);
    _exit(0);
  }
  if (read(ends[0], &left, sizeof left) != sizeof left) left = -1;
  waitpid(child, NULL, 0);
  close(ends[0]);
  close(ends[1]);
  return left;
}

/** The answer to a command; the process may end instead. */
static const char *obey(char *command, const char *report) {
  static char answer[64] = "done\n";
  strcpy(answer, "done\n");
  command[strcspn(command, "\r\n")] = 0;
  char *rest = strchr(command, ' ');
  if (rest) *rest++ = 0;
  for (char *each = rest; each && *each; each++)
    if (*each == '|') *each = '\n';
  if (strcmp(command, "report") == 0) return report;
  if (strcmp(command, "exit") == 0) _exit(rest ? atoi(rest) : 0);
  if (strcmp(command, "ignore") == 0) signal(SIGTERM, SIG_IGN);
  else if (strcmp(command, "notify") == 0) tell(rest, -1);
  else if (strcmp(command, "store-3") == 0) tell(rest, 3);
  else if (strcmp(command, "store-pipe") == 0) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return "what?\n";
    close(ends[1]);
    tell(rest, ends[0]);
    close(ends[0]);
  } else if (strcmp(command, "store") == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    tell(rest, null);
    close(null);
  } else if (strcmp(command, "nonblock") == 0) {
    for (int fd = 0; fd < MOST; fd++)
      if (option(fd, SOL_SOCKET, SO_TYPE) >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  } else if (strncmp(command, "leave", 5) == 0) {
    snprintf(answer, sizeof answer, "%ld\n", leave(strcmp(command, "leave-3") == 0 ? 3 : -1, strcmp(command, "leave-soon") == 0));
  } else strcpy(answer, "what?\n");
  return answer;
}

/** Answers one command. */
static void serve(int fd, const char *report) {
  char command[1024];
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  int is_listener = option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
  int connection = is_listener ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : fd;
  if (connection < 0) return;
  ssize_t got = recvfrom(connection, command, sizeof command - 1, 0, (void *)&from, &length);
  if (got < 0) got = 0;
  command[got] = 0;
  const char *answer = obey(command, report);
  int is_datagram = option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM;
  sendto(connection, answer, strlen(answer), MSG_NOSIGNAL, is_datagram ? (void *)&from : NULL, is_datagram ? length : 0);
  if (is_listener) close(connection);
}

int main(int argc, char **argv) {
  char *report;
  size_t size;
  out = open_memstream(&report, &size);
  describe(argc, argv);
  fflush(out);
  tell("READY=1", -1);
  const char *fds = getenv("LISTEN_FDS");
  int is_inetd = option(0, SOL_SOCKET, SO_TYPE) >= 0 && !fds;
  int first = is_inetd ? 0 : 3, count = is_inetd ? 1 : fds ? atoi(fds) : 0;
  struct pollfd polled[MOST];
  for (int i = 0; i < count && i < MOST; i++) polled[i] = (struct pollfd){.fd = first + i, .events = POLLIN};
  for (;;) {
    if (poll(polled, (nfds_t)count, -1) < 0) continue;
    for (int i = 0; i < count; i++) {
      int fd = polled[i].fd, is_listener = option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
      // What was stored is only kept.
      if (!polled[i].revents || option(fd, SOL_SOCKET, SO_TYPE) < 0) continue;
      int is_connection = !is_listener && option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
      serve(fd, report);
      if (is_inetd || is_connection) _exit(0);
    }
  }
}
