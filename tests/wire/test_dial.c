#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "wire/dial.h"

static const char *source_of(uint64_t number)
{
	static char name[INET_ADDRSTRLEN];
	struct sockaddr_in source;

	if (!iq_dial_source(number, &source))
		return "the system's choice";
	cr_expect_eq(source.sin_port, 0);
	return inet_ntop(AF_INET, &source.sin_addr, name, sizeof(name));
}

Test(dial, connections_to_loopback_come_from_one_address_until_there_are_many)
{
	cr_expect_str_eq(source_of(0), "the system's choice");
	cr_expect_str_eq(source_of(IQ_DIAL_PER_SOURCE - 1), "the system's choice");
	cr_expect_str_eq(source_of(IQ_DIAL_PER_SOURCE), "127.0.0.2");
	cr_expect_str_eq(source_of(2 * IQ_DIAL_PER_SOURCE - 1), "127.0.0.2");
	cr_expect_str_eq(source_of(18000), "127.0.0.3");
}

Test(dial, however_many_there_are_the_source_is_loopback)
{
	for (uint64_t number = 1; number < (UINT64_C(1) << 40); number = number * 3 + 1) {
		struct sockaddr_in source;

		(void)iq_dial_source(number, &source);
		cr_expect_eq(ntohl(source.sin_addr.s_addr) >> 24, 127);
		cr_expect_neq(source.sin_addr.s_addr, htonl(0x7fffffff));
	}
}
