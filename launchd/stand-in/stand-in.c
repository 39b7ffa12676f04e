/*
 * launch_activate_socket(3) for one job, on macOS: compiled when `rouse run --as launchd` needs it, and loaded into the program
 * by DYLD_INSERT_LIBRARIES. What the listings beside this do on Linux, in the same order. It compiles on Linux too, for tests.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __APPLE__
#include <launch.h>
#endif

struct known_socket {
  int descriptor;
  unsigned long long inode;
};

struct entry {
  const char *name;
  const struct known_socket *sockets;
  size_t count;
  atomic_int taken;
};

/* Generated: static struct entry job[], whose last entry has no name. */
#include "rouse-launchd-job.h"

/* By fstat, since another process may have something else under that number. macOS numbers only unix sockets; the others are 0. */
static int is_here(const struct known_socket *known) {
  struct stat status;
  if (fstat(known->descriptor, &status) != 0) return 0;
  return S_ISSOCK(status.st_mode) && status.st_ino == known->inode;
}

static int activate(const char *name, int **fds, size_t *cnt) {
  struct entry *entry = job;
  while (entry->name && strcmp(entry->name, name) != 0) entry++;
  if (!entry->name) return ENOENT;
  /* Before the descriptors: who took them may have closed them. */
  if (atomic_load(&entry->taken)) return EALREADY;
  for (size_t i = 0; i < entry->count; i++)
    if (!is_here(&entry->sockets[i])) return ESRCH;
  if (atomic_exchange(&entry->taken, 1)) return EALREADY;
  /* malloc(0) may be NULL. */
  int *array = malloc((entry->count + 1) * sizeof *array);
  if (!array) {
    atomic_store(&entry->taken, 0);
    return ENOMEM;
  }
  for (size_t i = 0; i < entry->count; i++) array[i] = entry->sockets[i].descriptor;
  *fds = array;
  *cnt = entry->count;
  return 0;
}

#ifdef __APPLE__
/*
 * dyld puts the first function in the place of the second, in what it binds in every other image and in what dlsym finds,
 * whichever handle is asked (Loader::interpose of dyld's source). So libSystem's function need not be shadowed by its name.
 */
__attribute__((used, section("__DATA,__interpose"))) static const struct {
  const void *replacement;
  const void *replaced;
} interpose = {(const void *)activate, (const void *)launch_activate_socket};
#else
int launch_activate_socket(const char *name, int **fds, size_t *cnt) {
  return activate(name, fds, cnt);
}
#endif
