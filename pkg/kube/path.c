/* Paths of the API server, built from checked parts only. */
#include "kube/path.h"

#include "base/str.h"

#include <string.h>

static bool is_lower_alnum(char c)
{
    return ascii_isdigit(c) || (c >= 'a' && c <= 'z');
}

static bool is_label(const char *s, size_t n)
{
    if (n == 0 || n > 63 || !is_lower_alnum(s[0]) || !is_lower_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_lower_alnum(s[i]) && s[i] != '-')
            return false;
    return true;
}

bool kube_is_label(const char *s)
{
    return is_label(s, strlen(s));
}

/* RFC 1123. A label of a subdomain may be longer than 63 in object names: Kubernetes only limits the whole. */
static bool is_subdomain(const char *s)
{
    size_t len = strlen(s);

    if (len == 0 || len > 253 || !is_lower_alnum(s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        bool first = i == 0 || s[i - 1] == '.';
        bool last = s[i + 1] == '.';
        if (!is_lower_alnum(s[i]) && (first || last || (s[i] != '-' && s[i] != '.')))
            return false;
    }
    return true;
}

static int bad(struct err *err, const char *what, const char *value)
{
    return err_set(err, ERR_INVALID, "\"%.64s\" is no %s of Kubernetes", value, what);
}

static int check(const struct kube_path *path, struct err *err)
{
    const struct kube_resource *r = path->resource;

    if (*r->group && !is_subdomain(r->group))
        return bad(err, "API group", r->group);
    if (!is_label(r->version, strlen(r->version)))
        return bad(err, "API version", r->version);
    if (!is_label(r->plural, strlen(r->plural)))
        return bad(err, "resource", r->plural);
    if (path->ns && !is_label(path->ns, strlen(path->ns)))
        return bad(err, "namespace", path->ns);
    if (path->name && !is_subdomain(path->name))
        return bad(err, "object name", path->name);
    if (path->subresource && !is_label(path->subresource, strlen(path->subresource)))
        return bad(err, "subresource", path->subresource);
    return 0;
}

int kube_path_build(struct buf *ret, const char *server, const struct kube_path *path, struct err *err)
{
    const struct kube_resource *r = path->resource;

    if (check(path, err) < 0)
        return -1;
    buf_printf(ret, "%s/%s%s/%s", server, *r->group ? "apis/" : "api", r->group, r->version);
    if (path->ns)
        buf_printf(ret, "/namespaces/%s", path->ns);
    buf_printf(ret, "/%s", r->plural);
    if (path->name)
        buf_printf(ret, "/%s", path->name);
    if (path->subresource)
        buf_printf(ret, "/%s", path->subresource);
    return 0;
}

void kube_query_add(struct buf *ret, const char *name, const char *value)
{
    if (str_empty(value))
        return;
    buf_printf(ret, "%c%s=", strchr(buf_str(ret), '?') ? '&' : '?', name);
    buf_put_urlencoded(ret, value);
}
