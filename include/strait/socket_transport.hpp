#pragma once

// The transport stands in transports/socket.hpp; this is where programs for 0.1 look for it.
#include "strait/transports/socket.hpp"
