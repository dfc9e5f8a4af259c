/* Resource ids taken apart.
 *
 * An id reaches us from a resource that a user wrote and becomes a URL path later, so it is refused here unless every
 * part of it can only ever mean itself in a URL: nothing that is decoded, ends a segment or walks up the tree. Names
 * are not checked against the rules of their resource type: Azure knows those better. */
#include "azure/arm_id.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define ID_MAX 2048
#define SHAPE "/subscriptions/GUID/resourceGroups/NAME/providers/NAMESPACE/TYPE/NAME"
#define FIXED_PARTS 6 /* up to and including the namespace; pairs of type and name follow */

struct part {
    const char *at; /* NULL when there is none */
    size_t len;
};

/* The part after the slash that p points to; moves p on to the next slash or the end. */
static struct part next_part(const char **p)
{
    struct part part = {.at = *p + 1};

    part.len = strcspn(part.at, "/");
    *p = part.at + part.len;
    return part;
}

static bool part_is_n(struct part part, const char *word, size_t n)
{
    for (size_t i = 0; i < n && part.len == n; i++)
        if (ascii_tolower(part.at[i]) != ascii_tolower(word[i]))
            return false;
    return part.len == n;
}

static bool part_is(struct part part, const char *word)
{
    return part_is_n(part, word, strlen(word));
}

static int check_part(struct part part, struct err *err)
{
    if (part.len == 0)
        return err_set(err, ERR_INVALID, "a resource id must not have empty parts (it should be %s)", SHAPE);
    if ((part.len == 1 && part.at[0] == '.') || (part.len == 2 && memcmp(part.at, "..", 2) == 0))
        return err_set(err, ERR_INVALID, "a resource id must not have \".\" or \"..\" as a part");
    for (size_t i = 0; i < part.len; i++) {
        char c = part.at[i];
        if ((unsigned char)c <= ' ' || c == 0x7f)
            return err_set(err, ERR_INVALID, "a resource id must not have white space or control bytes");
        if (strchr("%?#\\", c))
            return err_set(err, ERR_INVALID, "a resource id must not have the character '%c'", c);
    }
    return 0;
}

static int split(
    const char *text, struct part fixed[FIXED_PARTS], struct part *type, struct part *name, struct err *err)
{
    const char *p = text;
    size_t n = 0;

    while (*p) {
        struct part part = next_part(&p);
        if (check_part(part, err) < 0)
            return -1;
        if (n < FIXED_PARTS)
            fixed[n] = part;
        else if (n % 2 == 0)
            *type = part;
        else
            *name = part;
        n++;
    }
    if (n < FIXED_PARTS + 2 || n % 2 != 0 || !part_is(fixed[0], "subscriptions") ||
        !part_is(fixed[2], "resourceGroups") || !part_is(fixed[4], "providers"))
        return err_set(err, ERR_INVALID, "a resource id must be %s", SHAPE);
    return 0;
}

static char *copy_part(struct part part)
{
    return xstrndup(part.at, part.len);
}

int arm_id_parse(struct arm_id *ret, const char *text, struct err *err)
{
    struct part fixed[FIXED_PARTS] = {0}, type = {0}, name = {0};
    size_t len = text ? strnlen(text, ID_MAX + 1) : 0;

    if (len == 0 || text[0] != '/')
        return err_set(err, ERR_INVALID, "a resource id must be %s", SHAPE);
    if (len > ID_MAX)
        return err_set(err, ERR_INVALID, "a resource id must not be longer than %d bytes", ID_MAX);
    if (!utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "a resource id must be valid UTF-8");
    if (text[len - 1] == '/')
        len--;
    _cleanup_(freep) char *own = xstrndup(text, len);
    if (split(own, fixed, &type, &name, err) < 0)
        return -1;
    _cleanup_(freep) char *subscription = copy_part(fixed[1]);
    if (!str_is_guid(subscription))
        return err_set(
            err, ERR_INVALID, "the subscription in a resource id must be a GUID (the id should be %s)", SHAPE);
    *ret = (struct arm_id){
        .subscription = TAKE_PTR(subscription),
        .resource_group = copy_part(fixed[3]),
        .provider = copy_part(fixed[5]),
        .type = copy_part(type),
        .name = copy_part(name),
        .text = TAKE_PTR(own),
    };
    return 0;
}

void arm_id_done(struct arm_id *id)
{
    free(id->text);
    free(id->subscription);
    free(id->resource_group);
    free(id->provider);
    free(id->type);
    free(id->name);
    *id = (struct arm_id){0};
}

bool arm_id_is(const struct arm_id *id, const char *provider, const char *type)
{
    const char *p = id->text;
    struct part part;

    if (!p)
        return false;
    for (int i = 0; i < FIXED_PARTS; i++)
        part = next_part(&p);
    if (!part_is(part, provider))
        return false;
    while (*p) {
        size_t n = strcspn(type, "/");
        part = next_part(&p);
        (void)next_part(&p); /* the name */
        if (n == 0 || !part_is_n(part, type, n))
            return false;
        type += n + (type[n] == '/');
    }
    return *type == '\0';
}
