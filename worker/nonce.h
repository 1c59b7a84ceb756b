/* SPDX-License-Identifier: MIT */
/*
 * nonce.h - Content-Security-Policy's nonces in pages that are kept. A page is made with a mark in their
 * place (ssr.nonce), and each answer has a nonce of its own there, of the same length. Design:
 * worker/README.md, "Nonces".
 */
#ifndef SSRD_WORKER_NONCE_H
#define SSRD_WORKER_NONCE_H

#include "shm/base.h"
#include "shm/heritage.h"

/* Fresh: 192 bits in base64 (CSP 3 section 2.3.1). False: the system has no randomness. */
bool nonce_draw(char ret_nonce[static HERITAGE_NONCE_BYTES]);

/* Put it in the place of every mark. */
void nonce_put(char *data, size_t bytes, const char *mark, const char *nonce);

/* Which mark the pages of this server have: pages of another, out of a cache file, can't be told. Never 0. */
uint32_t nonce_mark_id(const char *mark);

#endif
