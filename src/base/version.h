/* What this build is and what its numbers mean. */
#pragma once

#define TARE_VERSION "0.1.0"

/*
 * Meaning of the numbers, stored with every result; METHOD.md has its history. Raised whenever a
 * number would come out differently for the same network, so that reports never compare the two.
 */
#define METHOD_VERSION 1
