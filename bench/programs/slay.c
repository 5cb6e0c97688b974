// slay BIRTHS TIMES PAUSE_MS: kills who is named last in BIRTHS with SIGKILL and waits for the next to be born, over and over, with
// a pause before each. Prints the microseconds from each kill to the birth, as the newborn itself has noted it.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_S = 10 };

struct birth {
  long long ns;
  int pid;
  int number;
};

static struct birth last(const char *path) {
  struct birth born = {0}, next;
  FILE *file = fopen(path, "r");
  if (file == NULL) return born;
  while (fscanf(file, "%lld %d\n", &next.ns, &next.pid) == 2) {
    next.number = born.number + 1;
    born = next;
  }
  fclose(file);
  return born;
}

static long long now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(int count, char **words) {
  if (count < 4) return 2;
  int times = atoi(words[2]), pause_ms = atoi(words[3]);
  for (int round = 0; round < times; round++) {
    usleep(pause_ms * 1000);
    struct birth before = last(words[1]), after = before;
    long long killed_ns = now_ns();
    kill(before.pid, SIGKILL);
    while (after.number == before.number) {
      if (now_ns() - killed_ns > LIMIT_S * 1000000000LL) {
        fprintf(stderr, "nobody was born within %d s\n", LIMIT_S);
        return 1;
      }
      usleep(200);
      after = last(words[1]);
    }
    printf("%lld\n", (after.ns - killed_ns) / 1000);
  }
  return 0;
}
