/* What people write into a spec, and what Azure says about a key: the checks and comparisons on bare strings. One a
 * line: account, key, identity, key vault, approved plan, time zone, another key, another identity, a key's status. */
#include "fuzz.h"

#include "cmk/key_status.h"
#include "cmk/spec.h"

static void check_comparisons(const struct cmk_spec *spec, const char *key, const char *identity)
{
    FUZZ_CHECK(cmk_same_key(spec->key_uri, key) == cmk_same_key(key, spec->key_uri));
    FUZZ_CHECK(
        cmk_same_identity(spec->default_identity, identity) == cmk_same_identity(identity, spec->default_identity));
    FUZZ_CHECK(cmk_same_identity(identity, identity));
    _cleanup_(freep) char *account = cmk_account_key(spec->account_id);
    _cleanup_(freep) char *again = cmk_account_key(account);
    FUZZ_CHECK(strcmp(account, again) == 0);
}

static void check_spec(const struct cmk_spec *spec)
{
    struct err err = ERR_INIT;

    if (cmk_spec_check(spec, &err) < 0) {
        FUZZ_CHECK(err.kind == ERR_INVALID && *err.msg);
        return;
    }
    (void)cmk_spec_unsupported(spec);
    FUZZ_CHECK(fuzz_is_one_line(spec->account_id) && fuzz_is_one_line(spec->key_uri));
    FUZZ_CHECK(cmk_same_key(spec->key_uri, spec->key_uri));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    struct cmk_spec spec = {
        .account_id = fuzz_line(&lines),
        .key_uri = fuzz_line(&lines),
        .default_identity = fuzz_line(&lines),
        .key_vault_id = fuzz_line(&lines),
        .approved_plan = fuzz_line(&lines),
    };
    _cleanup_(freep) char *zone = fuzz_line(&lines), *key = fuzz_line(&lines), *identity = fuzz_line(&lines),
                          *said = fuzz_line(&lines);
    char code[CMK_KEY_CODE_SIZE];

    if (*zone)
        spec.window = (struct cmk_window){.present = true, .time_zone = TAKE_PTR(zone), .n_periods = 1};
    check_spec(&spec);
    check_comparisons(&spec, key, identity);
    cmk_key_code(said, code);
    FUZZ_CHECK(memchr(code, '\0', sizeof(code)) && fuzz_is_one_line(code));
    cmk_spec_done(&spec);
    return 0;
}
