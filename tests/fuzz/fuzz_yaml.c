/* The YAML reader: whatever it accepts is of the JSON model, so the JSON reader accepts it as we print it. */
#include "fuzz.h"

#include "yaml/yaml_json.h"

#define MAX_BYTES ((size_t)64 * 1024)

static void check(const cJSON *tree, size_t size)
{
    _cleanup_(json_freep) cJSON *again = NULL;
    _cleanup_(freep) char *text = json_print(tree);
    struct err err = ERR_INIT;

    FUZZ_CHECK(size <= MAX_BYTES);
    FUZZ_CHECK(json_parse(&again, text, strlen(text), &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(json_freep) cJSON *one = NULL, *all = NULL;
    struct err err = ERR_INIT;

    int r_all = yaml_read_all(&all, "input", (const char *)data, size, MAX_BYTES, &err);
    FUZZ_CHECK(r_all == 0 || (*err.msg && (err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE)));
    int r_one = yaml_read(&one, "input", (const char *)data, size, MAX_BYTES, &err);
    FUZZ_CHECK(r_one < 0 || r_all == 0);
    if (r_one == 0)
        check(one, size);
    /* Each on its own: in a list they are one level deeper than the reader of JSON goes. */
    const cJSON *item;
    cJSON_ArrayForEach (item, all)
        check(item, size);
    return 0;
}
