// SPDX-License-Identifier: MIT
export const Guest = ({ id, shout }) => <p>Guest {shout === undefined ? id : id.toUpperCase() + '!'}</p>;
