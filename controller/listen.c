#include "controller/listen.h"

#include "base/str.h"

#include <string.h>

int listen_parse(
    const char *flag, const char *text, char ret_host[static LISTEN_HOST_SIZE], int *ret_port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    int64_t port;

    if (!colon || len >= LISTEN_HOST_SIZE || !str_to_i64(colon + 1, 0, 65535, &port))
        return err_set(err, ERR_INVALID, "%s takes ADDRESS:PORT or :PORT, not \"%.100s\"", flag, text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    memcpy(ret_host, text, len);
    ret_host[len] = '\0';
    if (!len)
        (void)str_copy(ret_host, LISTEN_HOST_SIZE, "0.0.0.0");
    *ret_port = (int)port;
    return 0;
}
