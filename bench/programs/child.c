// child DELAY_MS [ENDS|- [BIRTHS|- [FD]]]: after the delay it adds "TIME PID" to BIRTHS, says "ready", on FD too, and waits for
// SIGTERM or SIGINT; then it adds the time to ENDS and ends. Times are nanoseconds of the monotonic clock, a line each. Next to
// nothing beside what starts it.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void note(const char *path) {
  if (strcmp(path, "-") == 0) return;
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  dprintf(file, "%lld %d\n", at.tv_sec * 1000000000LL + at.tv_nsec, getpid());
  close(file);
}

int main(int count, char **words) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  long delay_ms = count > 1 ? atol(words[1]) : 0;
  struct timespec delay = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000};
  nanosleep(&delay, NULL);
  if (count > 3) note(words[3]);
  if (write(1, "ready\n", 6) != 6) return 1;
  if (count > 4 && write(atoi(words[4]), "\n", 1) != 1) return 1;
  int got;
  sigwait(&stop, &got);
  if (count > 2) note(words[2]);
  return 0;
}
