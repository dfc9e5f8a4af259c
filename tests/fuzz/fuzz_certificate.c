/* Certificate files, PEM and PKCS#12. What is taken can sign an assertion; what is refused is refused with a sentence
 * that has neither the password nor anything of the file. */
#include "fuzz.h"

#include "azure/certificate.h"
#include "base/str.h"

#include <sys/mman.h>
#include <unistd.h>

#define PASSWORD "canary~password"
#define WALL 1795503300000

static int file_of(const uint8_t *data, size_t size, char path[static 32])
{
    int fd = memfd_create("certificate", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static void check_assertion(const struct certificate *certificate, enum assertion_algorithm algorithm)
{
    struct secret *jwt = NULL;
    struct err err = ERR_INIT;

    if (certificate_assertion(certificate, algorithm, "https://a/", "client", WALL, &jwt, &err) < 0) {
        FUZZ_CHECK(!jwt && err.kind == ERR_INTERNAL && *err.msg);
        return;
    }
    const char *text = secret_reveal(jwt), *first = strchr(text, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    FUZZ_CHECK(second && !strchr(second + 1, '.') && second[1] && fuzz_is_one_line(text) && !strpbrk(text, "+/= "));
    (void)secret_unref(jwt);
}

static void check(const char *path, const struct secret *password)
{
    _cleanup_(certificate_freep) struct certificate *certificate = NULL;
    struct err err = ERR_INIT;

    if (certificate_load(&certificate, path, password, WALL, &err) < 0) {
        FUZZ_CHECK(!certificate && err.kind == ERR_UNAUTHORIZED && fuzz_is_one_line(err.msg));
        FUZZ_CHECK(strstr(err.msg, path) && !strstr(err.msg, PASSWORD));
        return;
    }
    check_assertion(certificate, ASSERTION_PS256);
    check_assertion(certificate, ASSERTION_RS256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(secret_unrefp) struct secret *password = secret_new(PASSWORD, strlen(PASSWORD));
    char path[32];
    int fd = file_of(data, size, path);

    check(path, NULL);
    check(path, password);
    (void)close(fd);
    return 0;
}
