// SPDX-License-Identifier: MIT
export default { compilerOptions: { experimental: { async: true } } };
