/*
 * A key pair for tests, and tokens made with it by "openssl pkeyutl -encrypt": user mario, password
 * rossi, time RSA_TEST_TIME. The hash is that of sha256sum.
 */
#pragma once

#define RSA_TEST_TIME  1700000000
#define RSA_TEST_USERS "mario,bf7a49a846d44b454a5d11e7acfaf13d138bbe0b7483aa3e050879700572709b\n"

static const char rsa_test_private[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQCzBssgy3KlvJ7S\n"
	"KMSLPjIsbw4yFXpedlZodJcWkyRRWuxh2kvWuFWLYTcE8OMGsAGq1xK3V+tT4cbD\n"
	"wLV91ZONn8j52XapT3NTElXEJA7kNePeKs2AoRmFr0RKhAxg47kl95M3UcduxO6C\n"
	"rXZP9Q2QY2PqAnj1uG/wS5zq5jZfDeqtZ3x+wCvUx1imDPjoAAADFrCEVRkiQLAt\n"
	"t6raE283RPYjuaVWOhz7xo+eLVEkLAlkuecaFwngKACmGoZEq+vlrmSWPzvh/X6W\n"
	"Siz+yxskBWT33RdG58MbxcMXU1CbmM3azJyvz1VW5iYHznm12jds12aApIgyQHUd\n"
	"V+wSbLo1AgMBAAECggEAPHvPlclWdwsmR09xs690KRHuJFqgSJjHcavuPbjBnODQ\n"
	"mvCzDZyifh/+hCNUODavoYXfM2U3QtQ1IH6Tcqt9GeyBbHQdhG8swcSgiE88Xrqc\n"
	"PTuNyWbkJgfEVT6Opg9ZxquBp79v1wsen7S2E6ZxijYiE/X44t+IphENt0jG1s7e\n"
	"sdP3GxJ/zPW96j6EQosHxoTi8WCLfmuHDEU6Vw6zS3Yfery9Aoy54ndPNmjBT9D4\n"
	"oFcdGvovHqmrmWoKSqho13MW3YmroDiRF661C/IaEvLkboNhlCyZMAX9GLvVFQy0\n"
	"ENcbCZoChYUaJV0q7hxXwOAY5FkRlA4splZbeuaFswKBgQDW0wFN5XVgZ5ehDXfz\n"
	"OXtC/RX4FJnD/rcKuoH7FFN3YaJJLiqH8SR+CzjkMUvXSL2bhAOjvZIl3e++lCEt\n"
	"NyLjOMlp3orUEXSDsItk0jvp1peFNY62Ud3mDQdJdtdkLwJU+f2l0BCjeaTKBeMZ\n"
	"rH0h573rOaHWbNOILfnZx9+BnwKBgQDVV0RSz3/Xsbsw5h4f1Bd2VTNcyYc2a0Ml\n"
	"uhrNvl9zQ0RsQofQ++topG1MvF01wBh0cP9Fod1YOFgJ+2LTWnjnp+r1hN2+WgQ+\n"
	"pGBCi2Oe96mlK2+Q/yREVXAW0j3xGLmtWJPEsUnKPJOn4i2ZT75+12fFQemB6KtY\n"
	"rOW/ck67qwKBgQCr5mjSxlwoanyg+UAUtth1gEOGIiXw+e/Ke/fqzBcGHnBYEsMh\n"
	"yMqkuaIqp2/Cs4hV20t2SQmbl35yh+IMZmRaYmR5fQSmMdmET08bvEcJFRhmFbc/\n"
	"GT9xCNfd52Tv29YH3YskldvalEpTBmb1clsnOGN2yMVB6g9Sl0epBxFIjQKBgQCP\n"
	"3r3wqoYoS29VVppSFJGN938fv7gzdrpdoteYkB2GeYKXD3bP9FOYyen7qbuiF91m\n"
	"CR3dM381kymr8Z9/sK+AabkFwYhYahQaunc/6QhRl+sLu/MM8ULf4k4o1bd385ij\n"
	"0ew05OpCO//HY7wke6aXm2Qbnot+VA3ZSx/Ur51w6QKBgQCPqXvUvj/CcRowOC3H\n"
	"wUHqbYzfmFvpaOjFNm2nTrFZsTZE7asXt3PpvJ1oHC/S9ZqtfeIOc2n4+lGee9dx\n"
	"BbdhG+u/eH6Rppt15YWiBTzgX4HjiXBxdOB4YPCtGNDOEXvFfDTgG2wqULzyAfsw\n"
	"qqmMpdvu+PaaI852G5ktw/DrZQ==\n"
	"-----END PRIVATE KEY-----\n";
static const char rsa_test_public[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAswbLIMtypbye0ijEiz4y\n"
	"LG8OMhV6XnZWaHSXFpMkUVrsYdpL1rhVi2E3BPDjBrABqtcSt1frU+HGw8C1fdWT\n"
	"jZ/I+dl2qU9zUxJVxCQO5DXj3irNgKEZha9ESoQMYOO5JfeTN1HHbsTugq12T/UN\n"
	"kGNj6gJ49bhv8Euc6uY2Xw3qrWd8fsAr1MdYpgz46AAAAxawhFUZIkCwLbeq2hNv\n"
	"N0T2I7mlVjoc+8aPni1RJCwJZLnnGhcJ4CgAphqGRKvr5a5klj874f1+lkos/ssb\n"
	"JAVk990XRufDG8XDF1NQm5jN2sycr89VVuYmB855tdo3bNdmgKSIMkB1HVfsEmy6\n"
	"NQIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
static const char rsa_test_oaep[] =
	"hYy3PxNWyJOPHIjLLdckem7uv+4NASxPSOQhQA/vadrsnPr+lhAlvh/FSfm+Mo1f"
	"1c9iOqOtWvmsgfJNUrMLHNAsod11ChqJJZvr8X5Jkj7+uPbMat305cH5v594cSzY"
	"I7SgQt2wOcTi2S08AYU1N+6yuqQmTfIcOss+LB9FfGhu2ss2sDknXWcVc2jA3NYU"
	"oxMiwi5NCPps3nT3XMzp6Nn6jOAWon5cPFYYbRg1vwNn//6d2hq0oIH4JnsPc8WE"
	"VDkaYFsV5QKw6TArlIF5BCw0jNM1RBdJq9ux3t5nasbSfduTYLJsePfO5OxwS5p9"
	"5sULDc2BVWrGcWfgT8DfZg==";
static const char rsa_test_pkcs1[] =
	"WiVbRQ35KNbp05oZe2fkrCHXsv67OJ6n3byanNa2LFmusE14w/ZvkTT4pXtL5zRu"
	"TyWDUAj4uPtqLyR2dTXFTL30rfvl9i1bcMBEqU/BGQre1f+Qwa3zLEN+z5ghlVzl"
	"nx3K7j6KcvuEQ61khCVSuzuPm9jaBf44SKy8qeHUO5ggEhd6dYPRK3DVqkgJ+SIv"
	"F7h/urSuWJ2Pwz0tkZht2zJ//+Z3br64zl7Ln9fjLHxbFZWVyK7fcXAUuWcovg9B"
	"6Y8cmvUUQmZRQaxc09xoaDRhfjQA/q0ZoQmhgLI0hWqKeJa+x7sPVYnD7Dh9Gk3h"
	"1u1eUrT6DhXoTcUJbszB2w==";
