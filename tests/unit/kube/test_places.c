/* Several files, the pod's identity, and which of them is taken. '@' in a text is the test's folder. */
#include "config_rig.h"

static void make_pod(const char *dir, const char *ns)
{
    _cleanup_(freep) char *pod = scratch_path(dir, "pod");

    assert_int_equal(mkdir(pod, 0700), 0);
    scratch_write(pod, "token", "pod-token\n", 0);
    scratch_write(pod, "ca.crt", "POD-CA", 0);
    if (ns)
        scratch_write(pod, "namespace", ns, 0);
}

/* --- several files --- */

static void the_first_file_wins_for_each_entry_and_for_the_current_context(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *c = NULL, *d = NULL;
    _cleanup_(freep) char *sub = scratch_path(dir, "sub");
    struct err err;

    assert_int_equal(mkdir(sub, 0700), 0);
    scratch_write(dir, "a",
        "contexts: [{name: other, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://first'}}]\n",
        0);
    scratch_write(sub, "b",
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}, {name: other, context: {cluster: nowhere}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://second', tls-server-name: second}}]\n"
        "users: [{name: u, user: {tokenFile: token}}]\n",
        0);
    scratch_write(dir, "z", "current-context: other\nusers: [{name: u, user: {token: last}}]\n", 0);
    set_env(dir, "KUBECONFIG", "@/missing::@/a:@/sub/b:@/z:");

    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0);
    _cleanup_(freep) char *source = scratch_expand(dir, "@/a, @/sub/b, @/z, context c");
    _cleanup_(freep) char *token = scratch_expand(dir, "@/sub/token");
    assert_string_equal(c->source, source);
    assert_string_equal(c->server, "https://first");
    assert_null(c->server_name); /* an entry wins as a whole */
    assert_string_equal(c->token_file, token);
    assert_null(c->token);
    assert_int_equal(load(&d, dir, NULL, "other", &err), 0);
    assert_string_equal(d->server, "https://first");
}

static void a_broken_file_of_a_list_is_an_error_even_when_others_would_do(void **state)
{
    const char *dir = *state;
    struct kube_config *c;
    struct err err;

    scratch_write(dir, "a", CONTEXT CLUSTER USER, 0);
    scratch_write(dir, "b", "{", 0);
    set_env(dir, "KUBECONFIG", "@/a:@/b");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "/b:"));
}

/* --- order of places --- */

static void a_file_that_was_asked_for_must_exist(void **state)
{
    const char *dir = *state;
    struct kube_config *c;
    struct err err;

    scratch_write(dir, "a", CONTEXT CLUSTER USER, 0);
    set_env(dir, "KUBECONFIG", "@/a");
    assert_int_equal(load(&c, dir, "missing", NULL, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/missing"));
}

static void the_order_is_kubeconfig_then_the_pod_then_home(void **state)
{
    const char *dir = *state;
    _cleanup_(freep) char *kube = scratch_path(dir, ".kube");
    struct kube_config *c;
    struct err err;

    assert_int_equal(mkdir(kube, 0700), 0);
    scratch_write(kube, "config", CONTEXT CLUSTER USER, 0);
    scratch_write(dir, "a", CONTEXT CLUSTER USER, 0);
    set_env(dir, "HOME", "@");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0);
    assert_non_null(strstr(c->source, "/.kube/config"));
    c = kube_config_free(c);

    set_env(dir, "KUBERNETES_SERVICE_HOST", "10.96.0.1");
    set_env(dir, "KUBERNETES_SERVICE_PORT", "443");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0); /* no token: it only looks like a pod */
    assert_non_null(strstr(c->source, "/.kube/config"));
    c = kube_config_free(c);

    make_pod(dir, "payments\n");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0);
    assert_string_equal(c->source, "in-cluster");
    c = kube_config_free(c);
    assert_int_equal(load(&c, dir, NULL, "c", &err), 0); /* only files have contexts */
    assert_non_null(strstr(c->source, "/.kube/config"));
    c = kube_config_free(c);

    set_env(dir, "KUBECONFIG", "@/a");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0);
    assert_non_null(strstr(c->source, "/a, context c"));
    c = kube_config_free(c);
    set_env(dir, "KUBECONFIG", "@/missing");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0);
    assert_string_equal(c->source, "in-cluster");
    c = kube_config_free(c);
}

static void nothing_at_all_says_what_was_looked_for(void **state)
{
    const char *dir = *state;
    struct kube_config *c;
    struct err err;

    assert_int_equal(load(&c, dir, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "KUBECONFIG is not set"));
    set_env(dir, "HOME", "@");
    set_env(dir, "KUBECONFIG", "@/x:@/y");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/x:"));
}

static void a_pod_uses_its_files_and_brackets_an_ipv6_service(void **state)
{
    const char *dir = *state;
    _cleanup_(kube_config_freep) struct kube_config *c = NULL;
    struct err err;

    make_pod(dir, NULL);
    set_env(dir, "KUBERNETES_SERVICE_HOST", "fd00::1");
    set_env(dir, "KUBERNETES_SERVICE_PORT", "443");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), 0);
    _cleanup_(freep) char *token = scratch_expand(dir, "@/pod/token");
    assert_string_equal(c->server, "https://[fd00::1]:443");
    assert_string_equal(c->ca_pem, "POD-CA");
    assert_string_equal(c->token_file, token);
    assert_string_equal(c->namespace_name, "default");
}

static void a_pod_with_a_bad_address_or_without_ca_is_an_error(void **state)
{
    const char *dir = *state;
    _cleanup_(freep) char *ca = scratch_path(dir, "pod/ca.crt");
    struct kube_config *c;
    struct err err;

    make_pod(dir, "n");
    set_env(dir, "KUBERNETES_SERVICE_HOST", "10.96.0.1/evil");
    set_env(dir, "KUBERNETES_SERVICE_PORT", "443");
    assert_int_equal(load(&c, dir, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    set_env(dir, "KUBERNETES_SERVICE_HOST", "10.96.0.1");
    assert_int_equal(unlink(ca), 0);
    assert_int_equal(load(&c, dir, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.msg, "ca.crt"));
}

static void the_environments_proxy_is_used_unless_the_file_names_one(void **state)
{
    const char *dir = *state;
    struct kube_config *c;
    struct err err;

    set_env(dir, "https_proxy", "proxy.example:3128");
    scratch_write(dir, "config", CONTEXT CLUSTER USER, 0);
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    assert_string_equal(c->proxy, "http://proxy.example:3128");
    c = kube_config_free(c);

    set_env(dir, "NO_PROXY", "example.org, 10.0.0.0/8");
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    assert_null(c->proxy);
    c = kube_config_free(c);

    set_env(dir, "HTTPS_PROXY", "socks5://user:hunter2@proxy:1");
    (void)unsetenv("NO_PROXY");
    assert_int_equal(load(&c, dir, "config", NULL, &err), -1);
    assert_non_null(strstr(err.msg, "HTTPS_PROXY: only http and https"));
    assert_null(strstr(err.msg, "hunter2"));

    scratch_write(dir, "config", IN_CLUSTER("server: 'https://h', proxy-url: 'https://mine:1'"), 0);
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    assert_string_equal(c->proxy, "https://mine:1");
    c = kube_config_free(c);

    scratch_write(dir, "config", IN_CLUSTER("server: 'https://127.0.0.1:6443'"), 0);
    assert_int_equal(load(&c, dir, "config", NULL, &err), 0);
    assert_null(c->proxy);
    c = kube_config_free(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_file_wins_for_each_entry_and_for_the_current_context),
        T(a_broken_file_of_a_list_is_an_error_even_when_others_would_do),
        T(a_file_that_was_asked_for_must_exist),
        T(the_order_is_kubeconfig_then_the_pod_then_home),
        T(nothing_at_all_says_what_was_looked_for),
        T(a_pod_uses_its_files_and_brackets_an_ipv6_service),
        T(a_pod_with_a_bad_address_or_without_ca_is_an_error),
        T(the_environments_proxy_is_used_unless_the_file_names_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
