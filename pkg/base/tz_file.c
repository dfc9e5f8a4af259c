/* Finds a zone file by name. The name comes from a manifest, so its form is checked before it becomes part of a path:
 * letters, digits, "_", "+" and "-", in parts that "/" separates. There is no dot in it, hence no way out of the
 * directory. */
#include "base/tz_file.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define NAME_MAX_LEN 64
#define FILE_MAX_BYTES (256 * 1024)

static bool is_zone_name(const char *name)
{
    const char *part = name;

    if (strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
        return false;
    for (const char *p = name;; p++) {
        if (*p == '/' || *p == '\0') {
            if (p == part)
                return false;
            if (*p == '\0')
                return true;
            part = p + 1;
        } else if (!ascii_isalnum(*p) && !strchr("_+-", *p)) {
            return false;
        }
    }
}

/* A version 1 file with a single type of offset 0: images without zone files still know UTC. */
static int parse_utc(struct tz **ret, struct err *err)
{
    static const char tzif[44 + 6 + 4] = {[0] = 'T', 'Z', 'i', 'f', [39] = 1, [43] = 4, [50] = 'U', 'T', 'C'};

    return tz_parse(ret, tzif, sizeof(tzif), err);
}

int tz_load(struct tz **ret, const char *name, const char *directory, struct err *err)
{
    if (!is_zone_name(name))
        return err_set(err, ERR_INVALID,
            "\"%.80s\" is no time zone name: it must look like Europe/Rome (letters, digits, _, + and -, parts "
            "separated by "
            "/, at most %d characters)",
            name, NAME_MAX_LEN);
    if (str_eq(name, "UTC"))
        return parse_utc(ret, err);
    if (!directory)
        directory = TZ_DIRECTORY;
    _cleanup_(freep) char *path = xasprintf("%s/%s", directory, name);
    _cleanup_(buf_done) struct buf b = BUF_INIT(FILE_MAX_BYTES);
    if (file_read(path, &b, err) < 0) {
        if (err && err->kind == ERR_NOT_FOUND)
            return err_set(err, ERR_NOT_FOUND,
                "time zone %s is not known: a name looks like Europe/Rome, and %s must have the zone files of the "
                "tzdata "
                "package, which may be missing",
                name, directory);
        return err_wrap(err, "cannot load time zone %s", name);
    }
    return tz_parse(ret, buf_str(&b), b.len, err) < 0 ? err_wrap(err, "cannot load time zone %s", name) : 0;
}
