/* Two callgrind client requests for ctypes: without valgrind they do nothing. */
#include <valgrind/callgrind.h>

void zero(void) { CALLGRIND_ZERO_STATS; }
void dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
