/* A driver for tests/test_gpu.py: GPUS="8.6 RTX A4000;9.0 H100", CUDA=12040 and, where cuInit shall fail, INIT=999. */
#include <stdlib.h>
#include <string.h>

static const char *gpu(int i) {
  const char *text = getenv("GPUS");
  while (i-- > 0 && (text = strchr(text, ';'))) text++;
  return text && *text ? text : 0;
}

int cuInit(unsigned flags) { return getenv("INIT") ? atoi(getenv("INIT")) : 0; }

int cuDriverGetVersion(int *version) { *version = atoi(getenv("CUDA")); return 0; }

int cuDeviceGetCount(int *count) {
  for (*count = 0; gpu(*count); ++*count) {}
  return 0;
}

int cuDeviceGetName(char *name, int size, int i) {
  int length = strcspn(gpu(i) + 4, ";");
  memcpy(name, gpu(i) + 4, length);
  name[length] = 0;
  return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int i) {
  *value = gpu(i)[attribute == 75 ? 0 : attribute == 76 ? 2 : 3] - '0';
  return 0;
}
