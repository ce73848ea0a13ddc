/**
 * 1 on a replica, and on a primary that has been demoted, also for a user who may write there all the same. `CONCAT`, since
 * the variables are numbers on some versions and words on others.
 */
export const IS_READ_ONLY = "CONCAT(@@global.read_only, @@global.innodb_read_only) NOT REGEXP '^(0|OFF)+$'";
