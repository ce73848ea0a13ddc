import { describeStorm } from '../../support/describe-storm.js';

describeStorm('mariadb');
