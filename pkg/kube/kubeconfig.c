/* Kubeconfig files as one: reading, and look-ups that keep the file of what they find.
 *
 * A file is read by the YAML reader with its caps; nothing in it is trusted to have the type it should have. */
#include "kube/kubeconfig.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/wipe.h"
#include "yaml/yaml_json.h"

#include <stdio.h>
#include <string.h>

#define MAX_FILE (4 << 20)
#define MAX_FILES 64
#define MAX_NAMES_SHOWN 10

void kubeconfig_done(struct kubeconfig *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free(k->files[i].path);
        (void)kube_wipe_tree(k->files[i].tree);
    }
    free(k->files);
    *k = (struct kubeconfig){0};
}

int kubeconfig_add(struct kubeconfig *k, const char *path, struct err *err)
{
    _cleanup_(kube_wipe_buf) struct buf text = BUF_INIT(MAX_FILE);
    cJSON *tree = NULL;

    if (k->n == MAX_FILES)
        return err_set(err, ERR_TOO_LARGE, "more than %d kubeconfig files", MAX_FILES);
    if (file_read(path, &text, err) < 0)
        return -1;
    if (yaml_read(&tree, path, buf_str(&text), text.len, MAX_FILE, err) < 0) {
        if (err)
            err->kind = ERR_INVALID;
        return -1;
    }
    k->files = xrealloc(k->files, (k->n + 1) * sizeof(*k->files));
    k->files[k->n++] = (struct kubeconfig_file){xstrdup(path), tree};
    if (cJSON_IsObject(tree) || cJSON_IsNull(tree))
        return 0;
    return err_set(err, ERR_INVALID, "%s: not a kubeconfig file", path);
}

char *kubeconfig_paths(const struct kubeconfig *k)
{
    struct buf b = BUF_INIT(4096);

    for (size_t i = 0; i < k->n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", k->files[i].path);
    return buf_take(&b);
}

int kubeconfig_fail(const struct kubeconfig_place *at, const char *field, struct err *err, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return err_set(err, ERR_INVALID, "%s: %s%s%s: %s", at->file->path, at->name, *at->name && field ? "." : "",
        field ? field : "", text);
}

int kubeconfig_text(const struct kubeconfig_place *at, const char *field, const char **ret, struct err *err)
{
    const cJSON *value = json_member(at->object, field);

    *ret = NULL;
    if (!value || cJSON_IsNull(value))
        return 0;
    if (!cJSON_IsString(value))
        return kubeconfig_fail(at, field, err, "expected a string (a number or a boolean needs quotes)");
    if (*value->valuestring)
        *ret = value->valuestring;
    return 0;
}

int kubeconfig_current_context(const struct kubeconfig *k, const char **ret, struct err *err)
{
    *ret = NULL;
    for (size_t i = 0; i < k->n && !*ret; i++) {
        struct kubeconfig_place top = {.file = &k->files[i], .object = k->files[i].tree};
        if (kubeconfig_text(&top, "current-context", ret, err) < 0)
            return -1;
    }
    return *ret ? 1 : 0;
}

/* The same for one file. A name twice in one list is a mistake that kubectl refuses, too. */
static int find_in_file(const struct kubeconfig_file *file, const char *list, const char *member, const char *name,
    struct kubeconfig_place *ret, struct err *err)
{
    const cJSON *entries = json_member(file->tree, list), *entry;
    int index = 0, found = 0;

    if (entries && !cJSON_IsNull(entries) && !cJSON_IsArray(entries))
        return err_set(err, ERR_INVALID, "%s: %s: expected a list", file->path, list);
    cJSON_ArrayForEach (entry, entries) {
        struct kubeconfig_place at = {.file = file, .object = entry};
        const char *its_name;
        (void)snprintf(at.name, sizeof(at.name), "%s[%d]", list, index++);
        if (!cJSON_IsObject(entry))
            return kubeconfig_fail(&at, NULL, err, "expected an object");
        if (kubeconfig_text(&at, "name", &its_name, err) < 0)
            return -1;
        if (!str_eq(its_name, name))
            continue;
        if (found++)
            return kubeconfig_fail(&at, "name", err, "\"%s\" is there twice", name);
        *ret = at;
    }
    if (!found)
        return 0;
    ret->object = json_member(ret->object, member);
    (void)snprintf(ret->name + strlen(ret->name), sizeof(ret->name) - strlen(ret->name), ".%s", member);
    return cJSON_IsObject(ret->object) ? 1 : kubeconfig_fail(ret, NULL, err, "expected an object");
}

int kubeconfig_find(const struct kubeconfig *k, const char *list, const char *member, const char *name,
    struct kubeconfig_place *ret, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < k->n && r == 0; i++)
        r = find_in_file(&k->files[i], list, member, name, ret, err);
    return r;
}

char *kubeconfig_names(const struct kubeconfig *k, const char *list)
{
    struct buf b = BUF_INIT(512);
    const cJSON *entry;
    int n = 0;

    for (size_t i = 0; i < k->n; i++)
        cJSON_ArrayForEach (entry, json_member(k->files[i].tree, list)) {
            const char *name = json_string_at(entry, "name");
            if (name && n++ < MAX_NAMES_SHOWN)
                buf_printf(&b, "%s%s", b.len ? ", " : "", name);
        }
    if (n > MAX_NAMES_SHOWN)
        buf_printf(&b, " and %d more", n - MAX_NAMES_SHOWN);
    return buf_take(&b);
}
