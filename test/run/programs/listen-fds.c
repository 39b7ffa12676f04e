/*
 * A server that knows nothing of Rouse: it serves what sd_listen_fds(3) says, and ends with a sentence where that is not true.
 *
 *     cc -o listen-fds listen-fds.c
 *     listen-fds                 every socket: HTTP on streams, an echo on datagrams; a connection is answered once, then it ends
 *     listen-fds --no-pid        LISTEN_PID has to be absent (systemfd --no-pid)
 *     listen-fds --fd N          only the Nth passed socket, from 0, whoever LISTEN_PID names: as static-web-server does;
 *                                SERVER_LISTEN_FD=N is the same
 *
 * The answers are "NAME PID\n" with the socket's name, to datagrams "NAME MESSAGE".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 3, MOST = 64 };

static char *names[MOST];

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("listen-fds: ", stderr);
  vfprintf(stderr, format, arguments);
  fputs("\n", stderr);
  exit(3);
}

static int option(int fd, int which) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, which, &value, &length) != 0) fail("descriptor %d is no socket: %s", fd, strerror(errno));
  return value;
}

static int count_passed(int wants_pid) {
  const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
  if (!fds) fail("LISTEN_FDS is not set");
  if (wants_pid && (!pid || atol(pid) != (long)getpid())) fail("LISTEN_PID=%s, but I am %ld", pid ? pid : "", (long)getpid());
  if (!wants_pid && pid) fail("LISTEN_PID=%s", pid);
  int count = atoi(fds);
  if (count < 1 || count > MOST) fail("LISTEN_FDS=%s", fds);
  return count;
}

static void read_names(int count) {
  char *text = getenv("LISTEN_FDNAMES");
  int found = 0;
  for (int i = 0; i < count; i++) names[i] = "unknown";
  if (!text) return;
  for (char *name; (name = strsep(&text, ":")); found++)
    if (found < MOST) names[found] = name;
  if (found != count) fail("%d names for %d sockets", found, count);
}

static void answer_stream(int connection, const char *name) {
  char request[4096], body[256], answer[512];
  size_t length = 0;
  while (length < sizeof request - 1) {
    ssize_t got = read(connection, request + length, sizeof request - 1 - length);
    if (got <= 0) break;
    length += (size_t)got;
    request[length] = 0;
    if (strstr(request, "\r\n\r\n")) break;
  }
  int size = snprintf(body, sizeof body, "%s %ld\n", name, (long)getpid());
  int all = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size, body);
  if (write(connection, answer, (size_t)all) != all) fail("the client has gone");
  close(connection);
}

static void answer_datagram(int socket, const char *name) {
  char message[1024], answer[1280];
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  ssize_t got = recvfrom(socket, message, sizeof message - 1, 0, (struct sockaddr *)&from, &length);
  if (got < 0) return;
  message[got] = 0;
  int size = snprintf(answer, sizeof answer, "%s %s", name, message);
  sendto(socket, answer, (size_t)size, 0, (struct sockaddr *)&from, length);
}

static void serve(int first, int count) {
  struct pollfd polled[MOST];
  for (int i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = first + i, .events = POLLIN};
  for (;;) {
    if (poll(polled, (nfds_t)count, -1) < 0 && errno != EINTR) fail("poll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
      if (!polled[i].revents) continue;
      int fd = polled[i].fd;
      const char *name = names[fd - FIRST];
      if (option(fd, SO_TYPE) == SOCK_DGRAM) {
        answer_datagram(fd, name);
      } else if (option(fd, SO_ACCEPTCONN)) {
        int connection = accept(fd, NULL, NULL);
        if (connection >= 0) answer_stream(connection, name);
      } else {
        answer_stream(fd, name);
        exit(0);
      }
    }
  }
}

int main(int argc, char **argv) {
  const char *flag = argc > 1 ? argv[1] : "";
  const char *index = strcmp(flag, "--fd") == 0 && argc > 2 ? argv[2] : getenv("SERVER_LISTEN_FD");
  if (index) {
    unsetenv("LISTEN_PID");
    int count = count_passed(0);
    read_names(count);
    if (atoi(index) >= count) fail("--fd %s: only %d sockets were passed", index, count);
    serve(FIRST + atoi(index), 1);
  }
  int count = count_passed(strcmp(flag, "--no-pid") != 0);
  read_names(count);
  serve(FIRST, count);
}
