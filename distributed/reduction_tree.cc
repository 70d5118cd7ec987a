#include "distributed/reduction_tree.h"

#include <bit>

namespace langevin::distributed {
namespace {

void Cover(const TreeNode& node, const TreeNode& range, std::vector<TreeNode>& covering) {
  if (node.end <= range.begin || range.end <= node.begin) return;
  if (range.begin <= node.begin && node.end <= range.end) {
    covering.push_back(node);
    return;
  }
  const int64_t middle = SplitPoint(node);
  Cover({node.begin, middle}, range, covering);
  Cover({middle, node.end}, range, covering);
}

}  // namespace

int64_t SplitPoint(const TreeNode& node) {
  return node.begin + static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(node.size() - 1)));
}

std::vector<TreeNode> CoveringNodes(int64_t total, const TreeNode& range) {
  std::vector<TreeNode> covering;
  Cover({0, total}, range, covering);
  return covering;
}

}  // namespace langevin::distributed
