/* SPDX-License-Identifier: MIT */
/* hello - says who it is, and with which arguments it was called. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    user_print("hello from user mode: process %u, %u arguments:", user_number(), argc);
    for (int i = 0; i < argc; i++)
        user_print(" '%s'", argv[i]);
    user_print("\n");
    user_need(argc >= 1 && argv[argc] == NULL, "argv ends with NULL");
    return 0;
}
