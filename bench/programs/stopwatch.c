// stopwatch PORT PATH POLL_US PROGRAM [ARG...]: starts the program, asks 127.0.0.1:PORT for PATH until it answers 200, sends
// SIGTERM and waits for the end. Prints "READY_US EXIT_NS": exec to the first 200, and the end on the monotonic clock. The
// same for everybody who is measured, so what it costs is in both. The program's output goes to memory, and from there nowhere.
// For who answers no requests, `stopwatch FILE LINES ...`: it is ready once the file has so many lines.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { LIMIT_S = 60 };

static long long now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int answers_200(int port, const char *path) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  char text[512];
  ssize_t length = 0;
  if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0) {
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
    if (write(connection, text, size) == size) length = read(connection, text, sizeof text);
  }
  close(connection);
  return length >= 12 && memcmp(text + 9, "200", 3) == 0;
}

static int has_lines(const char *path, int wanted) {
  static char text[65536];
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t length = fread(text, 1, sizeof text, file);
  fclose(file);
  for (size_t at = 0; at < length; at++) wanted -= text[at] == '\n';
  return wanted <= 0;
}

static int is_ready(const char *where, const char *what) {
  return where[0] == '/' ? has_lines(where, atoi(what)) : answers_200(atoi(where), what);
}

int main(int count, char **words) {
  if (count < 5) return 2;
  struct timespec pause = {.tv_nsec = atol(words[3]) * 1000};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, memfd_create("output", MFD_CLOEXEC), 1);
  signal(SIGPIPE, SIG_IGN);

  pid_t child;
  long long start_ns = now_ns();
  if (posix_spawnp(&child, words[4], &files, NULL, words + 4, environ) != 0) {
    perror(words[4]);
    return 1;
  }
  while (!is_ready(words[1], words[2])) {
    int ended = waitpid(child, NULL, WNOHANG) == child;
    if (ended || now_ns() - start_ns > LIMIT_S * 1000000000LL) {
      if (!ended) kill(child, SIGKILL);
      fprintf(stderr, "%s %s\n", words[4], ended ? "ended before it was ready" : "was not ready in time");
      return 1;
    }
    nanosleep(&pause, NULL);
  }
  long long ready_ns = now_ns();
  kill(child, SIGTERM);
  waitpid(child, NULL, 0);
  printf("%lld %lld\n", (ready_ns - start_ns) / 1000, now_ns());
  return 0;
}
