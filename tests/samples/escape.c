/* Tries everything that a program which a hostile file has taken over would try; prints what was possible.
   Arguments: a secret file, the file given to read, the folder given to write to; a fourth leaves out what would do harm outside a cage. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

static void tell(const char *name, long result) {
  printf("%s\t%s\n", name, result < 0 ? strerror(errno) : "POSSIBLE");
  fflush(stdout);
}
#define TRY(name, attempt) do { errno = 0; tell(name, (long)(attempt)); } while (0)

static char path[4096];
static const char *in_folder(const char *folder, const char *name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
static long reach(int kind) {
  int s = socket(AF_INET, kind, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
  to.sin_addr.s_addr = inet_addr("127.0.0.1");
  if (s < 0) return -1;
  return connect(s, (void *)&to, sizeof to) < 0 && errno != ECONNREFUSED ? -1 : 0;
}
static long local(void) {
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  return s;
}
static long start(const char *program) {
  char *none[] = {(char *)program, "-c", "exit 0", NULL}, *surroundings[] = {NULL};
  pid_t child = fork();
  if (child < 0) { execve(program, none, surroundings); return -1; }
  if (!child) { execve(program, none, surroundings); _exit(99); }
  int status;
  waitpid(child, &status, 0);
  errno = EACCES;
  return WIFEXITED(status) && WEXITSTATUS(status) == 99 ? -1 : 0;
}
static long fork_many(void) {
  int count = 0;
  for (; count < 6000; count++) {
    pid_t child = fork();
    if (child < 0) break;
    if (!child) { pause(); _exit(0); }
  }
  return count ? 0 : -1;
}
static long much_memory(void) {
  size_t total = 0;
  for (;;) {
    char *piece = malloc(64 << 20);
    if (!piece) { errno = ENOMEM; return total > (2100UL << 20) ? 0 : -1; }
    memset(piece, 1, 64 << 20);
    if ((total += 64 << 20) > (3UL << 30)) return 0;
  }
}
static long large_file(const char *name) {
  signal(SIGXFSZ, SIG_IGN);
  int file = open(name, O_CREAT | O_WRONLY, 0600);
  static char piece[1 << 20];
  int count = 0;
  while (count < 64 && write(file, piece, sizeof piece) == sizeof piece) count++;
  unlink(name);
  errno = EFBIG;
  return count >= 64 ? 0 : -1;
}
static long run_from_memory(void) {
  int file = syscall(SYS_memfd_create, "x", 0);
  return file;
}

int main(int count, char **given) {
  if (count < 4) { puts("escape"); return 0; }
  const char *secret = given[1], *input = given[2], *folder = given[3];
  TRY("open the secret", open(secret, O_RDONLY));
  TRY("open /etc/passwd", open("/etc/passwd", O_RDONLY));
  TRY("open /proc/self/environ", open("/proc/self/environ", O_RDONLY));
  TRY("open /proc/1/status", open("/proc/1/status", O_RDONLY));
  snprintf(path, sizeof path, "%s", secret);
  TRY("list the secret's folder", opendir(dirname(path)) ? 0 : -1);
  TRY("list /home", open("/home", O_RDONLY | O_DIRECTORY));
  TRY("open a device", open("/dev/mem", O_RDONLY));
  TRY("write the input", open(input, O_WRONLY));
  TRY("unlink the input", unlink(input));
  TRY("rename over the input", rename(in_folder(folder, "none"), input));
  TRY("write the secret", open(secret, O_WRONLY | O_APPEND));
  TRY("make a file in /tmp", open("/tmp/escape-made-this", O_CREAT | O_WRONLY, 0600));
  TRY("make a file in /", open("/escape-made-this", O_CREAT | O_WRONLY, 0600));
  TRY("make a symbolic link", symlink("/etc/passwd", in_folder(folder, "link")));
  TRY("make a hard link", link(input, in_folder(folder, "hard")));
  TRY("make a device", mknod(in_folder(folder, "device"), S_IFCHR | 0600, 259));
  TRY("make a folder", mkdir(in_folder(folder, "folder"), 0700));
  TRY("make a file that runs as its owner", chmod(folder, 04777));
  TRY("start a shell", start("/bin/sh"));
  TRY("start python", start("/usr/bin/python3"));
  if (count > 4) return 0;
  TRY("start a process", fork());
  TRY("start 6,000 processes", fork_many());
  TRY("run from memory", run_from_memory());
  TRY("write and run memory", mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  TRY("connect by TCP", reach(SOCK_STREAM));
  TRY("connect by UDP", reach(SOCK_DGRAM));
  TRY("open a raw socket", socket(AF_INET, SOCK_RAW, 255));
  TRY("open a netlink socket", socket(AF_NETLINK, SOCK_RAW, 0));
  TRY("open a local socket", local());
  TRY("make a pair of sockets", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}));
  TRY("be traced", ptrace(PTRACE_TRACEME, 0, 0, 0));
  TRY("trace the parent", ptrace(PTRACE_SEIZE, getppid(), 0, 0));
  TRY("read another's memory", syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0));
  TRY("signal the parent", kill(getppid(), 0));
  TRY("signal everybody", kill(-1, 0));
  TRY("take a handle of a process", syscall(SYS_pidfd_open, getppid(), 0));
  TRY("limit another's resources", syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, 0, 0) < 0 || getppid() == 0 ? -1 : 0);
  TRY("mount", mount("none", folder, "tmpfs", 0, ""));
  TRY("leave the root", chroot("/"));
  TRY("make a user namespace", unshare(CLONE_NEWUSER));
  TRY("enter a namespace", setns(0, 0) < 0 && errno == EINVAL ? 0 : errno == EPERM ? -1 : -1);
  TRY("io_uring", syscall(SYS_io_uring_setup, 8, (char[256]){0}));
  TRY("bpf", syscall(SYS_bpf, 0, 0, 0));
  TRY("keys of the kernel", syscall(SYS_keyctl, 0, -3, 0));
  TRY("perf events", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
  TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
  TRY("open by handle", syscall(SYS_open_by_handle_at, AT_FDCWD, 0, 0) < 0 && errno == EFAULT ? 0 : -1);
  TRY("shared memory", syscall(SYS_shmget, 0, 4096, 01600));
  TRY("message queues", syscall(SYS_msgget, 0, 01600));
  TRY("become root", setresuid(0, 0, 0));
  TRY("type into a terminal", ioctl(0, TIOCSTI, "x"));
  TRY("take 2.1 GiB of memory", much_memory());
  TRY("write a file of 64 MiB", large_file(in_folder(folder, "large")));
  TRY("see that another file is there", access("/etc/passwd", F_OK));
  TRY("see that a program is there", access("/bin/sh", X_OK));
  return 0;
}
