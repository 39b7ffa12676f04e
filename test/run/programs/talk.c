/*
 * A client: connects, sends a line, and prints as JSON what came back and how the connection ended.
 *
 *     cc -o talk talk.c
 *     talk tcp:127.0.0.1:80 LINE         also tcp:::1:80, udp:127.0.0.1:80, a unix path, @ and an abstract name
 *     talk --from ADDRESS TO LINE        from that address; a unix path is removed afterwards
 *     talk --silent TO                   sends nothing, and waits for the end
 *     talk --hold TO                     the same, and says "connected" first
 *
 *     {"answer":"...","end":"FIN","host":"127.0.0.1","port":40000}    end: FIN, or an error as RST, refused
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct address {
  struct sockaddr_storage name;
  socklen_t length;
  int type;
};

static struct address parse(const char *words) {
  struct address result = {.type = SOCK_STREAM};
  if (*words == '/' || *words == '@') {
    struct sockaddr_un *name = (void *)&result.name;
    name->sun_family = AF_UNIX;
    strncpy(name->sun_path, words, sizeof name->sun_path - 1);
    if (*words == '@') name->sun_path[0] = 0;
    result.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(words));
    return result;
  }
  result.type = strncmp(words, "udp:", 4) == 0 ? SOCK_DGRAM : SOCK_STREAM;
  char *host = strdup(words + 4), *port = strrchr(host, ':');
  *port++ = 0;
  struct addrinfo hints = {.ai_socktype = result.type, .ai_flags = AI_NUMERICHOST}, *found;
  int failed = getaddrinfo(host, port, &hints, &found);
  if (failed) {
    fprintf(stderr, "%s: %s\n", words, gai_strerror(failed));
    exit(2);
  }
  memcpy(&result.name, found->ai_addr, found->ai_addrlen);
  result.length = found->ai_addrlen;
  return result;
}

static const char *failure(void) {
  if (errno == ECONNRESET || errno == EPIPE) return "RST";
  return errno == ECONNREFUSED ? "refused" : strerror(errno);
}

int main(int argc, char **argv) {
  const char *from = NULL;
  int at = 1, is_silent = 0, holds = 0;
  for (; at < argc && argv[at][0] == '-'; at++) {
    if (strcmp(argv[at], "--silent") == 0) is_silent = 1;
    else if (strcmp(argv[at], "--hold") == 0) is_silent = holds = 1;
    else from = argv[++at];
  }
  struct address to = parse(argv[at]), own = {0};
  const char *end = "FIN";
  int fd = socket(to.name.ss_family, to.type, 0);
  if (from) {
    own = parse(from);
    if (bind(fd, (void *)&own.name, own.length) != 0) end = failure();
  }
  char answer[65536] = "";
  size_t length = 0;
  if (connect(fd, (void *)&to.name, to.length) != 0) end = failure();
  else {
    if (holds) {
      puts("connected");
      fflush(stdout);
    }
    if (!is_silent) {
      char line[1024];
      int size = snprintf(line, sizeof line, "%s\n", argv[at + 1]);
      if (send(fd, line, (size_t)size, MSG_NOSIGNAL) < 0) end = failure();
    }
    for (;;) {
      ssize_t got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
      if (got < 0) end = failure();
      if (got <= 0) break;
      length += (size_t)got;
      if (to.type == SOCK_DGRAM) break;
    }
  }
  char host[256] = "", port[32] = "0";
  own.length = sizeof own.name;
  getsockname(fd, (void *)&own.name, &own.length);
  if (own.name.ss_family != AF_UNIX) getnameinfo((void *)&own.name, own.length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  if (from && *from == '/') unlink(from);
  fputs("{\"answer\":\"", stdout);
  for (const char *each = answer; *each; each++) {
    if (*each == '\n') fputs("\\n", stdout);
    else if (*each == '"' || *each == '\\') printf("\\%c", *each);
    else putchar(*each);
  }
  printf("\",\"end\":\"%s\",\"host\":\"%s\",\"port\":%s}\n", end, host, port);
}
