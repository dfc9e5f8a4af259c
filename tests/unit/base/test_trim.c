/* What is given back must not be missed: a segment that was written to keeps what was written. */
#include "unit.h"

#include "base/mem.h"
#include "base/trim.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int initialised[4096] = {1};                                /* writable, from the file */
static const char *const relocated[] = {"first", "second"};        /* written by the dynamic linker */
static const unsigned char constant[8192] = {[0] = 7, [8191] = 9}; /* never written */

static void what_was_written_is_still_there(void **state)
{
    _cleanup_(freep) char *heap = xasprintf("%s", "on the heap");
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(initialised); i++)
        initialised[i] = (int)i;
    memory_trim();
    for (size_t i = 0; i < ARRAY_LEN(initialised); i++)
        assert_int_equal(initialised[i], i);
    assert_string_equal(relocated[0], "first");
    assert_string_equal(relocated[1], "second");
    assert_string_equal(heap, "on the heap");
    assert_int_equal(constant[0] + constant[8191], 16);
}

/* Kilobytes of this process's mapped files that are in memory. */
static long resident_files(void)
{
    char line[256];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "re");

    assert_non_null(status);
    while (fgets(line, sizeof(line), status))
        if (strncmp(line, "RssFile:", 8) == 0)
            kb = strtol(line + 8, NULL, 10);
    (void)fclose(status);
    return kb;
}

static void pages_that_only_the_start_needed_leave(void **state)
{
    long before = resident_files();
    (void)state;

    assert_true(before > 0);
    memory_trim();
    assert_true(resident_files() < before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_that_only_the_start_needed_leave),
        cmocka_unit_test(what_was_written_is_still_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
