// line-sink [SERVICES]: reads to the end and prints "NANOSECONDS BYTES LOST": how long it took from the first byte of what floods
// wrote to the last, how much that was, and how many of their lines were missing or out of order. With SERVICES it reads the JSON
// lines of a runtime with so many services named p1 …, without it the bare bytes, of which it only counts the newlines.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY_BYTES = 1 << 20, SERVICES_MAX = 1000 };
static char memory[MEMORY_BYTES];
static long next[SERVICES_MAX];
static long bytes, lost;

static long long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static char *after(char *from, char *end, const char *text) {
  char *found = memmem(from, end - from, text, strlen(text));
  return found == NULL ? NULL : found + strlen(text);
}

/** Whether the line is one of a flood. */
static int take(char *line, char *end) {
  char *head = line + 160 < end ? line + 160 : end;
  char *service = after(line, head, "\"service\":\"p");
  char *message = service == NULL ? NULL : after(service, head, "\"stream\":\"stdout\",\"message\":\"");
  if (message == NULL) return 0;
  long number = atol(message);
  long *expected = &next[atol(service) % SERVICES_MAX];
  if (number != *expected) lost += number > *expected ? number - *expected : 1;
  *expected = number + 1;
  bytes += end - message - strlen("\"}") + 1;
  return 1;
}

int main(int count, char **words) {
  (void)words;
  int is_json = count > 1;
  long long first = 0, last = 0;
  long kept = 0;
  for (;;) {
    long got = read(0, memory + kept, MEMORY_BYTES - kept);
    if (got <= 0) break;
    char *end = memory + kept + got, *from = memory;
    int taken = 0;
    if (!is_json) {
      bytes += got;
      taken = 1;
      from = end;
    }
    for (char *at; (at = memchr(from, '\n', end - from)) != NULL; from = at + 1) taken |= take(from, at);
    if (taken && first == 0) first = now();
    if (taken) last = now();
    kept = end - from;
    memmove(memory, from, kept);
  }
  printf("%lld %ld %ld\n", last - first, bytes, lost);
  return 0;
}
