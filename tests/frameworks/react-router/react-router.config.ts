// SPDX-License-Identifier: MIT
export default { ssr: true };
