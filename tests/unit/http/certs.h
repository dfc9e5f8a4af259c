/* Certificates made when the test runs, so that none can expire in the repository. */
#pragma once

struct test_cert {
    char *cert_pem;
    char *key_pem;
};

/* Signed by issuer, or by itself when issuer is NULL (then it is a CA). san: OpenSSL's notation, for example
 * "DNS:api.test,IP:127.0.0.1", or NULL. */
struct test_cert test_cert_make(const char *common_name, const char *san, const struct test_cert *issuer);
void test_cert_done(struct test_cert *cert);
