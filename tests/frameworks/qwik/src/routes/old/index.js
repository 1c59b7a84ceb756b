// SPDX-License-Identifier: MIT
export const onGet = ({ redirect }) => {
  throw redirect(308, '/items/7/?from=old');
};
