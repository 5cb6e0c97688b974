// child DELAY_MS [FILE]: says "ready" after the delay and waits for SIGTERM; then it adds the time, on the monotonic clock in
// nanoseconds, as a line to FILE and ends. Next to nothing beside what starts it.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  long delay_ms = count > 1 ? atol(words[1]) : 0;
  struct timespec delay = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000};
  nanosleep(&delay, NULL);
  if (write(1, "ready\n", 6) != 6) return 1;
  int got;
  sigwait(&stop, &got);
  if (count > 2) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int file = open(words[2], O_WRONLY | O_APPEND | O_CREAT, 0600);
    dprintf(file, "%lld\n", at.tv_sec * 1000000000LL + at.tv_nsec);
  }
  return 0;
}
