// Which network interfaces Open MPI may send through, and which of them lead nowhere: the bridges
// that Docker and libvirt make have the same address on every host and no way to another.
//
// Pure functions over what preflight found.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_INTERFACES_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_INTERFACES_H_

#include <string>
#include <vector>

namespace langevin::launch {

// Open MPI's btl_tcp_if_include and btl_tcp_if_exclude: names and networks, comma-separated. If
// `include` is not empty, only what it holds is used; else all but what `exclude` holds.
struct InterfaceChoice {
  std::string include;
  std::string exclude;
};

// What OMPI_MCA_btl_tcp_if_include and _exclude say, which is where mpirun puts its --mca options.
InterfaceChoice ChoiceFromEnvironment();

// Of `interfaces` ("eth0 10.0.0.1/24"), those that Open MPI may use though they end on this host.
std::vector<std::string> DeadEnds(const std::vector<std::string>& interfaces,
                                  const InterfaceChoice& choice);

// A network ("10.0.0.0/24") in which every host has an address of its own; "" if there is none.
// `hosts` holds each host's interfaces.
std::string CommonNetwork(const std::vector<std::vector<std::string>>& hosts);

// What to do about a dead end; `network` is what joins the hosts, "" if that is not known.
std::string DeadEndAdvice(const std::string& network);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_INTERFACES_H_
