/* The strict JSON reader: what it accepts, it accepts again as we print it, and then prints the same. */
#include "fuzz.h"

#include "json/json.h"

struct sample {
    char *text;
    bool flag;
    int64_t number, number_or_string, time;
};

static void decode(const cJSON *tree)
{
    static const struct json_field fields[] = {
        {"text", JSON_STRING, offsetof(struct sample, text), .max = 16},
        {"a.flag", JSON_BOOL, offsetof(struct sample, flag)},
        {"a.number", JSON_INT, offsetof(struct sample, number), .required = true},
        {"a.seconds", JSON_INT_OR_STRING, offsetof(struct sample, number_or_string)},
        {"time", JSON_TIME, offsetof(struct sample, time)},
    };
    struct sample sample = {0};
    struct err err = ERR_INIT;

    if (json_decode(tree, fields, ARRAY_LEN(fields), &sample, &err) == 0) {
        FUZZ_CHECK(!sample.text || strlen(sample.text) <= 16);
        FUZZ_CHECK(sample.number > -(1LL << 53) && sample.number < 1LL << 53);
    } else
        FUZZ_CHECK(err.kind == ERR_PROTOCOL && *err.msg);
    free(sample.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(json_freep) cJSON *tree = NULL, *again = NULL;
    struct err err = ERR_INIT;

    if (json_parse(&tree, (const char *)data, size, &err) < 0) {
        FUZZ_CHECK(!tree && err.kind == ERR_PROTOCOL && fuzz_is_one_line(err.msg));
        return 0;
    }
    decode(tree);
    _cleanup_(freep) char *text = json_print(tree);
    FUZZ_CHECK(json_parse(&again, text, strlen(text), &err) == 0);
    _cleanup_(freep) char *text_again = json_print(again);
    FUZZ_CHECK(strcmp(text, text_again) == 0);
    return 0;
}
