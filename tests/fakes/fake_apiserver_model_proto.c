/* A reader for the few protocol buffers that kubectl insists on. See fake_apiserver_model_proto.h.
 *
 * The numbers are the field numbers of generated.proto in k8s.io/apimachinery (runtime.Unknown, TypeMeta, ObjectMeta)
 * and in k8s.io/api core/v1. */
#include "fakes/fake_apiserver_model_proto.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

struct field {
    uint64_t number;
    struct slice bytes; /* empty for a field that is no string or message */
};

static bool read_varint(struct slice *in, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && in->len > 0; shift += 7) {
        unsigned char byte = (unsigned char)*in->data++;
        in->len--;
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* 1: a field. 0: the end. -1: damaged. */
static int next_field(struct slice *in, struct field *ret)
{
    uint64_t tag, n = 0;
    if (in->len == 0)
        return 0;
    if (!read_varint(in, &tag) || (tag & 7) == 3 || (tag & 7) == 4)
        return -1;
    *ret = (struct field){.number = tag >> 3};
    if ((tag & 7) == 0)
        return read_varint(in, &n) ? 1 : -1;
    if ((tag & 7) == 2 && !read_varint(in, &n))
        return -1;
    size_t size = (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : n;
    if (size > in->len)
        return -1;
    if ((tag & 7) == 2)
        ret->bytes = (struct slice){in->data, size};
    in->data += size;
    in->len -= size;
    return 1;
}

static bool add_text(cJSON *object, const char *name, struct slice text)
{
    if (!utf8_valid(text.data, text.len) || memchr(text.data, '\0', text.len))
        return false;
    _cleanup_(freep) char *copy = xstrndup(text.data, text.len);
    if (*copy && !cJSON_GetObjectItemCaseSensitive(object, name))
        json_add_string(object, name, copy);
    return true;
}

/* One entry of a map<string, string>, which goes into the member name. */
static bool add_entry(cJSON *object, const char *name, struct slice entry)
{
    struct field f;
    struct slice key = {"", 0}, value = {"", 0};
    int more;
    while ((more = next_field(&entry, &f)) > 0) {
        if (f.number == 1)
            key = f.bytes;
        else if (f.number == 2)
            value = f.bytes;
    }
    if (more < 0)
        return false;
    cJSON *map = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!map)
        map = json_add_object(object, name);
    _cleanup_(freep) char *member = xstrndup(key.data, key.len);
    return add_text(map, member, value);
}

struct shape {
    uint64_t number;
    const char *name;
    const struct shape *message; /* its fields, up to one without a name */
    bool map;
};

static const struct shape metadata_shape[] = {
    {1, "name", NULL, false},
    {2, "generateName", NULL, false},
    {3, "namespace", NULL, false},
    {6, "resourceVersion", NULL, false},
    {11, "labels", NULL, true},
    {12, "annotations", NULL, true},
    {0},
};
static const struct shape plain_shape[] = {{1, "metadata", metadata_shape, false}, {0}};
static const struct shape config_map_shape[] = {{1, "metadata", metadata_shape, false}, {2, "data", NULL, true}, {0}};
static const struct shape type_shape[] = {{1, "apiVersion", NULL, false}, {2, "kind", NULL, false}, {0}};

/* Fields that the shape does not have are left out. */
static bool decode(cJSON *object, const struct shape *shape, struct slice in)
{
    struct field f;
    int more;
    while ((more = next_field(&in, &f)) > 0) {
        const struct shape *s = shape;
        while (s->name && s->number != f.number)
            s++;
        if (!s->name || !f.bytes.data)
            continue;
        bool ok = s->message ? decode(json_add_object(object, s->name), s->message, f.bytes)
                  : s->map   ? add_entry(object, s->name, f.bytes)
                             : add_text(object, s->name, f.bytes);
        if (!ok)
            return false;
    }
    return more == 0;
}

static const struct shape *shape_of(const char *kind)
{
    if (str_eq(kind, "Namespace") || str_eq(kind, "ServiceAccount"))
        return plain_shape;
    return str_eq(kind, "ConfigMap") ? config_map_shape : NULL;
}

int proto_decode(cJSON **ret, const char *data, size_t len, struct err *err)
{
    static const char magic[4] = {'k', '8', 's', '\0'};
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    struct slice in = {data + sizeof(magic), len - sizeof(magic)}, raw = {"", 0};
    struct field f;
    int more;
    if (len < sizeof(magic) || memcmp(data, magic, sizeof(magic)) != 0)
        return err_set(err, ERR_INVALID, "the body is no Kubernetes protocol buffer");
    bool ok = true;
    while ((more = next_field(&in, &f)) > 0) {
        if (f.number == 1 && f.bytes.data)
            ok = decode(object, type_shape, f.bytes) && ok;
        else if (f.number == 2)
            raw = f.bytes;
    }
    const char *kind = json_string_at(object, "kind");
    const struct shape *shape = shape_of(kind);
    if (ok && more == 0 && !shape)
        return err_set(err, ERR_INVALID, "%s is understood as JSON only", kind ? kind : "this kind");
    if (!ok || more < 0 || !decode(object, shape, raw))
        return err_set(err, ERR_INVALID, "the protocol buffer is damaged");
    *ret = TAKE_PTR(object);
    return 0;
}
