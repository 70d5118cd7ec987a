#include "launch/preflight_interfaces.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace langevin::launch {
namespace {

// By these names docker, libvirt, podman, LXC, Kubernetes' plugins and VirtualBox make them.
constexpr const char* kHostOnlyNames[] = {"docker", "virbr", "br-",   "veth",    "podman",
                                          "cni",    "lxcbr", "lxdbr", "vboxnet", "vmnet"};

struct Network {
  uint32_t address = 0;  // Host byte order.
  int bits = 32;
  uint32_t Mask() const { return bits == 0 ? 0 : ~uint32_t{0} << (32 - bits); }
  bool Holds(uint32_t other) const { return ((address ^ other) & Mask()) == 0; }
};

std::optional<Network> ParseNetwork(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Network network;
  in_addr address;
  if (parts.empty() || inet_pton(AF_INET, parts[0].c_str(), &address) != 1) return std::nullopt;
  network.address = ntohl(address.s_addr);
  if (parts.size() > 1 &&
      (!absl::SimpleAtoi(parts[1], &network.bits) || network.bits < 0 || network.bits > 32)) {
    return std::nullopt;
  }
  return network;
}

struct Interface {
  std::string name;
  Network network;
};

std::vector<Interface> Parse(const std::vector<std::string>& texts) {
  std::vector<Interface> interfaces;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, ' ');
    if (parts.size() != 2) continue;
    if (const auto network = ParseNetwork(parts[1])) interfaces.push_back({parts[0], *network});
  }
  return interfaces;
}

bool IsIn(const std::string& list, const Interface& interface) {
  for (const std::string& entry : std::vector<std::string>(absl::StrSplit(list, ','))) {
    if (entry == interface.name) return true;
    const auto network = ParseNetwork(entry);
    if (network.has_value() && network->Holds(interface.network.address)) return true;
  }
  return false;
}

bool IsHostOnly(const std::string& name) {
  return std::any_of(std::begin(kHostOnlyNames), std::end(kHostOnlyNames),
                     [&](const char* prefix) { return absl::StartsWith(name, prefix); });
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

InterfaceChoice ChoiceFromEnvironment() {
  return {Environment("OMPI_MCA_btl_tcp_if_include"), Environment("OMPI_MCA_btl_tcp_if_exclude")};
}

std::vector<std::string> DeadEnds(const std::vector<std::string>& interfaces,
                                  const InterfaceChoice& choice) {
  std::vector<std::string> names;
  for (const Interface& interface : Parse(interfaces)) {
    const bool used =
        choice.include.empty() ? !IsIn(choice.exclude, interface) : IsIn(choice.include, interface);
    if (used && IsHostOnly(interface.name)) names.push_back(interface.name);
  }
  return names;
}

std::string CommonNetwork(const std::vector<std::vector<std::string>>& hosts) {
  if (hosts.empty()) return "";
  for (const Interface& candidate : Parse(hosts[0])) {
    if (IsHostOnly(candidate.name) || candidate.network.bits == 32) continue;
    std::set<uint32_t> addresses;
    for (const std::vector<std::string>& host : hosts) {
      for (const Interface& interface : Parse(host)) {
        if (!candidate.network.Holds(interface.network.address)) continue;
        addresses.insert(interface.network.address);
        break;
      }
    }
    if (addresses.size() != hosts.size()) continue;
    const in_addr base{htonl(candidate.network.address & candidate.network.Mask())};
    char text[INET_ADDRSTRLEN] = {};
    inet_ntop(AF_INET, &base, text, sizeof(text));
    return absl::StrCat(text, "/", candidate.network.bits);
  }
  return "";
}

std::string DeadEndAdvice(const std::string& network) {
  const std::string what = network.empty() ? "INTERFACE" : network;
  return absl::StrCat(
      "messages sent there reach no other host, and ranks then hang: mpirun --mca "
      "btl_tcp_if_include ",
      what, " --mca oob_tcp_if_include ", what,
      "; under srun, export OMPI_MCA_btl_tcp_if_include=", what,
      network.empty() ? " (the interface that joins the hosts)" : "");
}

}  // namespace langevin::launch
