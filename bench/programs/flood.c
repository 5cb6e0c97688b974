// flood LINES BYTES: writes that many lines of that many bytes, the newline counted, as fast as it is let; each begins with its
// number, so that whoever reads can tell what is missing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_BYTES = 64 * 1024, NUMBER_BYTES = 10 };

int main(int count, char **words) {
  long lines = count > 1 ? atol(words[1]) : 0;
  long bytes = count > 2 ? atol(words[2]) : 100;
  if (bytes <= NUMBER_BYTES || bytes > BATCH_BYTES) return 2;
  static char batch[BATCH_BYTES];
  for (long line = 0; line < lines;) {
    long filled = 0;
    for (; filled + bytes <= BATCH_BYTES && line < lines; filled += bytes, line++) {
      char *at = batch + filled;
      memset(at, 'x', bytes - 1);
      long number = line;
      for (int digit = NUMBER_BYTES - 1; digit >= 0; digit--, number /= 10) at[digit] = '0' + number % 10;
      at[bytes - 1] = '\n';
    }
    for (long done = 0; done < filled;) {
      long written = write(1, batch + done, filled - done);
      if (written <= 0) return 1;
      done += written;
    }
  }
  return 0;
}
