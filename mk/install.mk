# SPDX-License-Identifier: MIT
# make install [PREFIX=/usr/local] [DESTDIR=]: libraries, headers, loam.pc, manual pages.
#
# loam/port.h asks for loam_port.h on the include path; the hosted one is installed in
# include/loam/hosted, where loam.pc points. A kernel puts its own folder there instead.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: install
install: build/host/libloam.a build/host/libloam.so
install: ## libraries, headers, manual, below DESTDIR and PREFIX
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(DESTDIR)$(PREFIX)/include/loam/hosted $(DESTDIR)$(PREFIX)/lib/pkgconfig
	$(Q)install -m 644 include/loam/*.h $(DESTDIR)$(PREFIX)/include/loam
	$(Q)install -m 644 port/hosted/*.h $(DESTDIR)$(PREFIX)/include/loam/hosted
	$(Q)install -m 644 build/host/libloam.a $(DESTDIR)$(PREFIX)/lib
	$(Q)install -m 644 build/host/libloam.so.$(SO_VERSION) $(DESTDIR)$(PREFIX)/lib
	$(Q)ln -sf libloam.so.$(SO_VERSION) $(DESTDIR)$(PREFIX)/lib/libloam.so
	$(Q)install -d $(addprefix $(DESTDIR)$(PREFIX)/share/man/man,3 5)
	$(Q)install -m 644 docs/man/*.3 $(DESTDIR)$(PREFIX)/share/man/man3
	$(Q)install -m 644 docs/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' mk/loam.pc.in \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/loam.pc

LONG_TESTS += test/house/consumers_long.sh
