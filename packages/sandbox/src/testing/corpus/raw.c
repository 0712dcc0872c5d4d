/* Calls that no interpreter makes: the 32-bit ABI, x32, io_uring. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#if defined(__x86_64__)
static long int80(long number, const char *path, long b) {
  char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  long result;
  strcpy(low, path);
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(low), "c"(b) : "memory");
  return result;
}
#endif

static int ring = -1, used;
static struct io_uring_params params;
static char *queue;
static struct io_uring_sqe *entries;

static int start(void) {
  ring = syscall(SYS_io_uring_setup, 4, &params);
  if (ring < 0) return -1;
  queue = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  entries = mmap(0, 4 * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  return 0;
}

static int submit(struct io_uring_sqe entry) {
  unsigned mask = *(unsigned *)(queue + params.sq_off.ring_mask), at = used++ & mask;
  entries[at] = entry;
  ((unsigned *)(queue + params.sq_off.array))[at] = at;
  __atomic_store_n((unsigned *)(queue + params.sq_off.tail), used, __ATOMIC_RELEASE);
  syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
  unsigned last = *(unsigned *)(queue + params.cq_off.tail) - 1;
  struct io_uring_cqe *done = (void *)(queue + params.cq_off.cqes);
  return done[last & *(unsigned *)(queue + params.cq_off.ring_mask)].res;
}

int main(int count, char **args) {
  if (count < 3) return 2;
  const char *what = args[1], *path = args[2];
#if defined(__x86_64__)
  if (!strcmp(what, "int80-unlink")) return int80(10, path, 0) != 0;
  if (!strcmp(what, "int80-chmod")) return int80(15, path, 0777) != 0;
  if (!strcmp(what, "x32-unlink")) return syscall(0x40000000 | 87, path) != 0;
#endif
  if (strncmp(what, "uring", 5) || start()) return 3;
  struct io_uring_sqe entry = { .fd = AT_FDCWD, .addr = (unsigned long)path };
  if (!strcmp(what, "uring-unlink")) entry.opcode = IORING_OP_UNLINKAT;
  if (!strcmp(what, "uring-truncate")) entry.opcode = IORING_OP_OPENAT, entry.open_flags = O_WRONLY | O_TRUNC;
  if (!strcmp(what, "uring-rename")) entry.opcode = IORING_OP_RENAMEAT, entry.len = AT_FDCWD, entry.addr2 = (unsigned long)args[3];
  if (!strcmp(what, "uring-setxattr"))
    entry.opcode = IORING_OP_SETXATTR, entry.addr = (unsigned long)"user.planted", entry.addr2 = (unsigned long)"1", entry.addr3 = (unsigned long)path, entry.len = 1;
  if (strcmp(what, "uring-socket")) return submit(entry) < 0;
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int client = submit((struct io_uring_sqe){ .opcode = IORING_OP_SOCKET, .fd = AF_UNIX, .off = SOCK_STREAM });
  if (client < 0) return 4;
  if (submit((struct io_uring_sqe){ .opcode = IORING_OP_CONNECT, .fd = client, .addr = (unsigned long)&address, .off = sizeof address })) return 5;
  return submit((struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = client, .addr = (unsigned long)"rm", .len = 2 }) < 0;
}
